// Objects by name: a prompt to type, its results, and their boxes over the camera's picture.
import { command } from "./api.js";
import { el, keyed, setAttribute, setText } from "./dom.js";
import { number } from "./format.js";
import { Tracks } from "./tracks.js";

const GONE_NS = 6e9; // results came for this long without a prompt: nothing looks for it now
const COLOR = "#ff00c8";
const FONT = "600 12px system-ui, 'DejaVu Sans', sans-serif";
const PLATE_PX = 18;

export class WordsPanel {
  constructor(panel) {
    this._panel = panel;
    this._tracks = new Tracks();
    this._input = panel.querySelector("input");
    this._problem = panel.querySelector(".problem");
    this._said = null;
    panel.querySelector("form").addEventListener("submit", (event) => this._ask(event));
  }

  show(view) {
    this._tracks.add(view);
    setText(this._panel.querySelector(".muted"), view.model);
    // Typed text stays; another client's prompt is shown once.
    if (view.prompt !== this._said && document.activeElement !== this._input) {
      this._input.value = view.prompt;
    }
    this._said = view.prompt;
    keyed(this._panel.querySelector("ul"), view.phrases, {
      key: ({ phrase }) => phrase,
      create: ({ phrase }) => el("li", {}, el("strong", { textContent: phrase }), el("span")),
      update: (row, phrase) => showPhrase(row, phrase, view.objects),
    });
  }

  /** Hides outdated results. */
  refresh(newestNs) {
    const last = this._tracks.latest;
    this._panel.hidden = !last || newestNs - last.stamp_ns > GONE_NS;
  }

  /** Boxes of the picture with this stamp. */
  draw(context, scale, stampNs) {
    if (this._panel.hidden) return;
    for (const row of this._tracks.at(stampNs)?.objects ?? []) {
      if (isShown(row)) drawRow(context, row, scale);
    }
  }

  async _ask(event) {
    event.preventDefault();
    const { done, message } = await command("/api/prompt", { text: this._input.value.trim() });
    this._problem.hidden = done;
    setText(this._problem, done ? "" : `Not sent: ${message}`);
  }
}

const isShown = (row) => row.box_xyxy_px && ["confirmed", "coasting"].includes(row.state);

function showPhrase(row, { phrase, problem }, objects) {
  const found = objects.filter((each) => each.class === phrase && isShown(each));
  setAttribute(row, "data-level", problem ? "warn" : "ok");
  const each = found.map(({ id, score }) => `#${id} ${Math.round(score * 100)} %`);
  setText(row.lastChild, problem || each.join(", ") || "not seen");
}

function drawRow(context, row, scale) {
  const [left, top, right, bottom] = row.box_xyxy_px.map((value) => value * scale);
  context.setLineDash(row.state === "coasting" ? [7, 5] : []);
  for (const [style, width] of [["#ffffff", 6], [COLOR, 3]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(left, top, right - left, bottom - top);
  }
  context.setLineDash([]);
  context.font = FONT;
  const text = `${row.class} ${number(row.score, 2)}`;
  const width = context.measureText(text).width + 8;
  const x = Math.max(0, Math.min(left, context.canvas.clientWidth - width));
  context.fillStyle = COLOR;
  context.fillRect(x, bottom, width, PLATE_PX);
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(text, x + 4, bottom + PLATE_PX / 2);
}
