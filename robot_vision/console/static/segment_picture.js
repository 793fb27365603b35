// Pointing at objects in a chosen picture, on the page Analyse.
import { problemOf } from "./api.js";
import { byId, setText } from "./dom.js";
import { ms, number } from "./format.js";
import { painter } from "./paint.js";
import { Pointing, drawSegments, promptAfter } from "./pointing.js";

let file = null;
let bitmap = null;
let prompt = null;
let asked = 0;
let segments = [];
const canvas = byId("segment-picture").querySelector("canvas");
const paint = painter(canvas, draw);
const pointing = new Pointing(canvas, {
  widthPx: () => bitmap?.width ?? 0,
  pointed(gesture) {
    prompt = promptAfter(prompt, gesture);
    if (prompt) ask({ prompts: [prompt] });
    else say("Click an object first, then what else belongs to it or does not.");
  },
  invalidate: () => paint.invalidate(),
});
byId("segment-everything").addEventListener("click", () => {
  prompt = null;
  ask({ everything: true });
});

document.addEventListener("chosen", async ({ detail }) => {
  const next = detail.find((one) => one.type.startsWith("image/")) ?? null;
  if (next === file) return;
  file = next;
  [bitmap, prompt, segments] = [null, null, []];
  byId("segment-panel").hidden = !file;
  byId("segment-everything").disabled = !file;
  pointing.active = Boolean(file);
  if (!file) return;
  try {
    bitmap = await createImageBitmap(file);
    byId("segment-picture").style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
    say("Click an object; Ctrl-click: this too; Shift-click: not this; or drag a box.");
  } catch {
    say("the browser cannot show this picture");
  }
  paint.invalidate();
});

async function ask(request) {
  const turn = (asked += 1);
  const body = new FormData();
  body.append("image", file);
  body.append("request", JSON.stringify(request));
  say("Segmenting …");
  paint.invalidate();
  try {
    const response = await fetch("/api/segment", { method: "POST", body });
    if (turn !== asked) return; // another click has happened meanwhile
    if (response.ok) show(await response.json());
    else say(await problemOf(response));
  } catch {
    say("the console cannot be reached");
  }
}

function show(answer) {
  segments = answer.segments.map((segment, row) => ({
    ...segment, label: row + 1, name: `${row + 1}`,
  }));
  const best = segments[0];
  const found = best && segments.length === 1
    ? `score ${number(best.score, 2)}, ${best.area_px} px`
    : `${segments.length} segments`;
  say(`${answer.model} on ${answer.provider}: ${found}, in ${ms(answer.elapsed_ms)}`);
  paint.invalidate();
}

function draw(context, width, height) {
  if (!bitmap) return;
  context.drawImage(bitmap, 0, 0, width, height);
  const scale = width / bitmap.width;
  drawSegments(context, segments, scale, prompt);
  pointing.draw(context, scale);
}

function say(text) {
  setText(byId("segment-says"), text);
}
