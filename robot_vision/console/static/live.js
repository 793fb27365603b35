// The live page: passes stream data to the visible views.
import { Actions } from "./actions.js";
import { armState } from "./arm.js";
import { CameraView } from "./camera_view.js";
import { ClassesPanel } from "./classes_panel.js";
import { Control } from "./control.js";
import { DepthView } from "./depth_view.js";
import { showDiagnostics } from "./diagnostics.js";
import { byId, setText, toggles } from "./dom.js";
import { count, seconds } from "./format.js";
import { InsideView } from "./inside_view.js";
import { judge } from "./link.js";
import { ObjectsTable } from "./objects_table.js";
import { showLink } from "./pill.js";
import { LiveSegments } from "./segment_live.js";
import { Series } from "./series.js";
import { Stream } from "./stream.js";
import { themeButton } from "./theme_button.js";
import { Timing } from "./timing.js";
import { TopView } from "./top_view.js";
import { Tracks } from "./tracks.js";
import { WordsPanel } from "./words_panel.js";

const TICK_MS = 100;
const PATIENCE_MS = 2000;
const RATES_HZ = {
  state: 8, objects: 10, grounded: 10, classification: 3, frame: 10, depth: 3, features: 3, segmentation: 3,
  attention: 5, metrics: 1,
};

const tracks = new Tracks();
const series = new Series();
const select = (id) => {
  tracks.selected = id;
  camera.invalidate();
  above.invalidate();
  table.show({ now: true });
};
const camera = new CameraView(byId("camera"), tracks, select);
camera.segments = new LiveSegments(camera, () => state?.camera.width_px ?? 0);
const depth = new DepthView(byId("depth"), byId("depth-scale"));
const inside = new InsideView(byId("inside"), camera);
const above = new TopView(byId("above"), tracks);
const table = new ObjectsTable(byId("objects"), byId("no-objects"), tracks, select);
const classes = new ClassesPanel(byId("classes-panel"));
const words = new WordsPanel(byId("words-panel"));
camera.over = (context, scale, stampNs) => words.draw(context, scale, stampNs);
const timing = new Timing(series);
const actions = new Actions(series);
const control = new Control();
let state = null;

const stream = new Stream({
  state(now) {
    state = now;
    series.clock(state.now_s);
    timing.show(state);
    actions.show(state.policy);
    showDiagnostics(state);
    showFacts(state);
    tick();
  },
  objects(view) {
    tracks.add(view);
    camera.invalidate();
    above.invalidate();
    table.show();
    byId("notes").hidden = view.notes.length === 0;
    setText(byId("notes"), view.notes.join("; "));
  },
  metrics(metrics) {
    series.add(metrics);
    timing.redraw();
    actions.redraw();
  },
  grounded(view) {
    words.show(view);
    camera.invalidate();
  },
  classification: (view) => classes.showView(view),
  frame: (bitmap, header) => camera.show(bitmap, header),
  depth(bitmap, header) {
    depth.show(bitmap, header);
    setText(byId("depth-source"), header.source ? `from ${header.source}` : "");
  },
  features: (bitmap, header) => inside.take("features", bitmap, header),
  segmentation(bitmap, header) {
    classes.showPixels(header);
    inside.take("segmentation", bitmap, header);
  },
  attention: (bitmap, header) => inside.take("attention", bitmap, header),
});

/** Subscribes only to visible topics; a background page only to the state. */
function wanted() {
  const topics = { state: RATES_HZ.state };
  if (document.hidden) return { state: 1 };
  for (const topic of ["objects", "grounded", "metrics"]) topics[topic] = RATES_HZ[topic];
  if (camera.visible || inside.visible) topics.frame = RATES_HZ.frame;
  if (depth.visible) topics.depth = RATES_HZ.depth;
  if (classes.wanted) {
    for (const topic of ["classification", "segmentation"]) topics[topic] = RATES_HZ[topic];
  }
  if (inside.visible) topics[inside.topic] = RATES_HZ[inside.topic];
  return topics;
}

function tick() {
  stream.want(wanted());
  const link = judge(stream.status, state, camera);
  const arm = armState(state, stream.status.connected);
  showLink(link, arm);
  document.body.dataset.live = String(!link.trouble);
  byId("alert").hidden = !link.trouble;
  if (link.trouble) setText(byId("alert"), `${link.trouble.title}: ${link.trouble.reason}`);
  camera.showStatus(link.trouble, "frame" in wanted());
  depth.showStatus(link.trouble ?? missing("depth", depth), "depth" in wanted());
  inside.showStatus(link.trouble ?? missing(inside.topic, inside), inside.visible);
  classes.refresh(tracks.latest?.stamp_ns ?? null);
  words.refresh(tracks.latest?.stamp_ns ?? null);
  control.show(state, arm);
}

/** Live, but this picture has never arrived: the reason. */
function missing(topic, picture) {
  if (picture.lookedAtMs < PATIENCE_MS || picture.header || !state) return null;
  if (topic === "depth") {
    return { title: "No depth", reason: "Neither the camera nor the model provides depth." };
  }
  if (topic === "features") {
    return { title: "No features", reason: `The model ${state.model.id} provides none.` };
  }
  if (topic === "segmentation") {
    return { title: "No segmentation", reason: "No model provides it: set segmentation_model." };
  }
  const reason = state.policy ? "The policy has decided nothing yet." : "There is no policy.";
  return { title: "No attention", reason };
}

function showFacts({ model, camera: source, memory, viewers, uptime_s: uptimeS }) {
  const parts = [
    model.id && `${model.id} on ${model.provider}`,
    source.width_px ? `${source.width_px}×${source.height_px}` : "",
    `up ${seconds(uptimeS)}`,
    memory.perception_mb ? `${count(Math.round(memory.perception_mb))} MB` : "",
    viewers > 1 ? `${viewers} viewers` : "",
  ];
  setText(byId("facts"), parts.filter(Boolean).join(" · "));
}

camera.shown = toggles(byId("marks"), (shown) => {
  camera.shown = shown;
  camera.invalidate();
});
for (const button of byId("inside-topic").children) {
  button.addEventListener("click", () => {
    for (const one of byId("inside-topic").children) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    inside.choose(button.value);
    tick();
  });
}
toggles(byId("inside-ground"), (shown) => {
  inside.overPicture = shown.has("picture");
  inside.invalidate();
});
byId("enable-bar").addEventListener("click", () => byId("enable").click());
document.addEventListener("visibilitychange", () => {
  for (const picture of [camera, depth, inside]) picture.freshness.forget();
  tick();
});
themeButton(byId("theme"));
setInterval(tick, TICK_MS);
tick();
