// The result for a picture or video: overlays, figures, and the JSON to download.
import { pictureRows, pixelRows, showBars } from "./class_bars.js";
import { drawColors } from "./depth_view.js";
import { byId, el, setText, toggles } from "./dom.js";
import { ms, number } from "./format.js";
import { drawMarks } from "./marks.js";
import { painter } from "./paint.js";
import { showSimilarFrames } from "./similar_frames.js";

const BLEND = 0.65;

let answer = null;
let files = [];
let shown = { picture: null, layers: {} };
let layers = toggles(byId("layers"), (on) => {
  layers = on;
  canvas.invalidate();
  showScale();
});
const canvas = painter(byId("picture").querySelector("canvas"), draw);
const scale = painter(byId("scale").querySelector("canvas"), (context, width, height) => {
  const depth = shown.picture?.depth;
  if (depth) drawColors(context, width, height, depth.colors);
});
let url = "";

byId("frame").addEventListener("input", () => showPicture(Number(byId("frame").value)));

export async function showAnswer(analysis, asked) {
  [answer, files] = [analysis, asked];
  byId("summary-panel").hidden = byId("found-panel").hidden = false;
  byId("layers").hidden = false;
  byId("nothing").hidden = true;
  const facts = {
    model: `${answer.model} on ${answer.provider}`,
    took: ms(answer.elapsed_ms),
    pictures: String(answer.pictures.length),
    ...(answer.similarity && { "similarity (cosine)": number(answer.similarity.cosine, 3) }),
  };
  byId("summary").replaceChildren(...Object.entries(facts).flatMap(([name, text]) => [
    el("dt", { textContent: name }), el("dd", { textContent: text }),
  ]));
  setText(byId("notes"), answer.notes.join("; "));
  const text = JSON.stringify(answer, null, 1);
  setText(byId("json"), text);
  URL.revokeObjectURL(url);
  url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  byId("download").href = url;
  byId("frames").hidden = answer.pictures.length < 2;
  byId("frame").max = String(answer.pictures.length - 1);
  byId("frame").value = "0";
  await showPicture(0);
}

async function showPicture(index) {
  const picture = answer.pictures[index];
  // The browser has no single frames of a video: the service's drawing is the background.
  const isVideo = picture.time_s !== null;
  const loads = {
    ground: isVideo ? load(picture.overlay) : fromFile(files[index], picture.overlay),
    depth: picture.depth && load(picture.depth.image),
    features: picture.features && load(picture.features.image),
    segmentation: picture.segmentation && load(picture.segmentation.image),
  };
  const images = await Promise.all(Object.values(loads));
  if (answer.pictures[index] !== picture) return;
  const [ground, depth, features, segmentation] = images;
  shown = { picture, layers: { ground, depth, features, segmentation }, isVideo };
  byId("picture").style.aspectRatio = `${picture.width_px} / ${picture.height_px}`;
  setText(byId("frame-name"), isVideo ? `${number(picture.time_s, 2)} s` : `${index + 1}`);
  showRows(picture.detections);
  showClasses(picture);
  showSimilarFrames(picture.similar_frames);
  showScale();
  canvas.invalidate();
}

async function fromFile(file, overlay) {
  try {
    return await createImageBitmap(file);
  } catch {
    return load(overlay);
  }
}

async function load(path) {
  const response = await fetch(path);
  return response.ok ? createImageBitmap(await response.blob()) : null;
}

function draw(context, width, height) {
  const { picture, layers: images, isVideo } = shown;
  if (!picture) return;
  if (images.ground) context.drawImage(images.ground, 0, 0, width, height);
  for (const name of ["features", "depth"]) {
    if (!layers.has(name) || !images[name]) continue;
    context.globalAlpha = BLEND;
    context.imageSmoothingEnabled = name === "depth";
    context.drawImage(images[name], 0, 0, width, height);
    context.globalAlpha = 1;
  }
  if (layers.has("segmentation") && images.segmentation) {
    context.imageSmoothingEnabled = false;
    context.drawImage(images.segmentation, 0, 0, width, height);
  }
  if (isVideo || !picture.detections) return;
  const rows = picture.detections.map((row, id) => ({ ...row, id }));
  drawMarks(context, rows, {
    scale: width / picture.width_px, shown: layers, bones: picture.bones,
  });
}

function showScale() {
  const depth = shown.picture?.depth;
  byId("scale").hidden = !depth || !layers.has("depth");
  if (!depth) return;
  const [near, , far] = byId("scale").children;
  setText(near, `${number(depth.min_m)} m`);
  setText(far, `${number(depth.max_m)} m`);
  scale.invalidate();
}

/** The most likely classes of the picture, then those of its pixels with their colours. */
function showClasses({ classification, segmentation }) {
  const rows = [...pictureRows(classification ?? []), ...pixelRows(segmentation?.classes ?? [])];
  byId("classes-panel").hidden = rows.length === 0;
  showBars(byId("class-bars"), rows);
}

function showRows(detections) {
  byId("found-panel").hidden = !detections;
  byId("none-found").hidden = !detections || detections.length > 0;
  byId("found").replaceChildren(...(detections ?? []).map((row) => el("tr", {},
    el("td", { class: "text", textContent: row.class }),
    el("td", { textContent: `${Math.round(row.score * 100)} %` }),
    el("td", { textContent: row.distance_m === null ? "–" : `${number(row.distance_m)} m` }),
    el("td", { textContent: row.box_xyxy_px.map((value) => Math.round(value)).join(", ") }))));
}
