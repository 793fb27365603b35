// The page that shows what a model looks at: a click chooses an object or a number of the policy's
// action, the service answers.
import { problemOf } from "./api.js";
import { armState } from "./arm.js";
import { byId, isPressed, setText, showProblem, toggles } from "./dom.js";
import { hold, holdKeys, showHoldBar } from "./hold.js";
import { judge } from "./link.js";
import { Picture, drawStretched } from "./picture.js";
import { showLink } from "./pill.js";
import { Stream } from "./stream.js";
import { themeButton } from "./theme_button.js";
import { WhyActions } from "./why_actions.js";
import { showMaps } from "./why_maps.js";

const FRAME_HZ = 8;
const PAUSE_MS = 1200; // the service explains one picture a second at most
const LABEL = "Camera picture: a click explains the object there; the button below explains the "
  + "model's top detection";

let state = null;
let mine = null; // a chosen picture, instead of the live frame
let asked = { target: "" };
let asking = false;

const camera = new Picture(byId("camera"), LABEL, draw);
const stream = new Stream({
  state: (now) => { state = now; },
  frame(bitmap, header) {
    if (mine) bitmap.close();
    else camera.show(bitmap, header);
  },
});
let ways = toggles(byId("ways"), (on) => { ways = on; });
const actions = new WhyActions((target) => explain(target));

function draw(context, width, height, picture) {
  if (!mine) drawStretched(context, width, height, picture);
  else context.drawImage(mine.bitmap, 0, 0, width, height);
}

/** Picture pixels per screen pixel. */
function at(event) {
  const { width_px: width, height_px: height } = mine ?? camera.header;
  const x = (event.offsetX / camera.canvas.clientWidth) * width;
  const y = (event.offsetY / camera.canvas.clientHeight) * height;
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}

const model = () => [...byId("model").children].find(isPressed).value;

async function explain(target) {
  if (asking) return;
  asking = true;
  asked = { target };
  byId("ask").disabled = true;
  setText(byId("about"), "Explaining …");
  showProblem("");
  try {
    const response = mine ? await sendPicture(target) : await askLive(target);
    if (response.ok) showMaps(await response.json());
    else showProblem(await problemOf(response));
  } catch {
    showProblem("the console cannot be reached");
  } finally {
    asking = false;
    byId("ask").disabled = false;
    if (byId("about").textContent === "Explaining …") setText(byId("about"), "");
    if (isPressed(byId("again"))) setTimeout(next, PAUSE_MS);
  }
}

function next() {
  if (isPressed(byId("again")) && !document.hidden) explain(asked.target);
}

function askLive(target) {
  return fetch("/api/why", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: model(), target, ways: [...ways] }),
  });
}

function sendPicture(target) {
  const body = new FormData();
  body.append("image", mine.file);
  body.append("model", model());
  body.append("target", target);
  for (const way of ways) body.append("ways", way);
  return fetch("/api/why/picture", { method: "POST", body });
}

async function choose(file) {
  try {
    const bitmap = await createImageBitmap(file);
    mine?.bitmap.close();
    mine = { file, bitmap, width_px: bitmap.width, height_px: bitmap.height };
  } catch {
    showProblem(`this browser cannot read ${file.name} as a picture`);
    return;
  }
  showProblem("");
  camera.freshness.forget(); // it has no age
  camera.shape(mine.width_px, mine.height_px);
  showSource();
}

function showSource() {
  setText(byId("source"), mine ? mine.file.name : "live");
  byId("live").hidden = !mine;
  camera.invalidate();
}

camera.canvas.addEventListener("click", (event) => {
  if (!mine && !camera.header) return;
  explain({ detector: `box:${at(event)}`, classifier: "class", policy: "" }[model()]);
});
byId("ask").addEventListener("click", () => explain(""));
byId("again").addEventListener("click", () => {
  byId("again").setAttribute("aria-pressed", String(!isPressed(byId("again"))));
  if (isPressed(byId("again"))) explain(asked.target);
});
for (const button of byId("model").children) {
  button.addEventListener("click", () => {
    for (const one of byId("model").children) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    asked = { target: "" };
    actions.follow(model() === "policy");
  });
}
byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", () => {
  const [file] = byId("file").files;
  if (file) choose(file);
  byId("file").value = "";
});
byId("live").addEventListener("click", () => {
  mine?.bitmap.close();
  mine = null;
  showSource();
});

// The arm can be held from here too.
let arm = armState(null, false);

async function holdNow() {
  setText(byId("hold-outcome"), "Hold …");
  const { done, message } = await hold();
  const otherwise = "The arm may still move: use its emergency stop.";
  setText(byId("hold-outcome"), done ? message : `Hold FAILED: ${message}. ${otherwise}`);
}

function tick() {
  const wanted = { state: 2 };
  if (!document.hidden && !mine) wanted.frame = FRAME_HZ;
  stream.want(wanted);
  arm = armState(state, stream.status.connected);
  const link = judge(stream.status, state, camera);
  showLink(link, arm);
  camera.showStatus(mine ? null : link.trouble, "frame" in wanted);
  showHoldBar(byId("holdbar"), state ? arm : { ...arm, state: "none" });
}

byId("holdbar").querySelector(".hold").addEventListener("click", holdNow);
holdKeys(() => !byId("holdbar").hidden, holdNow);
document.addEventListener("visibilitychange", () => {
  camera.freshness.forget();
  next();
});
themeButton(byId("theme"));
setInterval(tick, 200);
tick();
