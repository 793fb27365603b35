// Pointing at objects in a picture: click, Ctrl-click for "this too", shift-click for "not this",
// or drag a box. Coordinates are the picture's pixels.
import { drawMarks } from "./marks.js";

const LEAST_DRAG_PX = 6;
const MARKS = new Set(["masks", "names"]);
const ON = "#009e73";
const OFF = "#d55e00";

/** `widthPx()` is the picture's width, 0 while unknown; `pointed(gesture)` receives each gesture. */
export class Pointing {
  constructor(canvas, { widthPx, pointed, invalidate }) {
    this._canvas = canvas;
    this._widthPx = widthPx;
    this._from = null;
    this._to = null;
    this.active = false;
    canvas.addEventListener("pointerdown", (event) => this._down(event));
    canvas.addEventListener("pointermove", (event) => {
      if (!this._from) return;
      this._to = this._at(event);
      invalidate();
    });
    canvas.addEventListener("pointerup", (event) => {
      const gesture = this._from && this._gesture(event);
      this._forget();
      invalidate();
      if (gesture) pointed(gesture);
    });
    canvas.addEventListener("pointercancel", () => this._forget());
  }

  /** The box being dragged, over the picture. */
  draw(context, scale) {
    if (!this._from || !this._to) return;
    const [left, top, right, bottom] = boxOf(this._from, this._to);
    context.setLineDash([6, 4]);
    for (const [style, width] of [["rgb(0 0 0 / 0.65)", 4], ["#ffffff", 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.strokeRect(left * scale, top * scale, (right - left) * scale, (bottom - top) * scale);
    }
    context.setLineDash([]);
  }

  _down(event) {
    if (!this.active || event.button !== 0 || !this._widthPx()) return;
    event.preventDefault();
    this._canvas.setPointerCapture(event.pointerId);
    this._from = this._at(event);
  }

  _at({ offsetX, offsetY }) {
    const scale = this._canvas.clientWidth / this._widthPx();
    const { clientWidth: width, clientHeight: height } = this._canvas;
    const inside = (value, most) => Math.min(Math.max(value, 0), most) / scale;
    return [inside(offsetX, width), inside(offsetY, height)].map((value) => Math.round(value * 10) / 10);
  }

  _gesture(event) {
    const to = this._at(event);
    const scale = this._canvas.clientWidth / this._widthPx();
    const moved = [0, 1].map((axis) => Math.abs(to[axis] - this._from[axis]) * scale);
    if (Math.min(...moved) >= LEAST_DRAG_PX) return { kind: "box", box: boxOf(this._from, to) };
    if (event.shiftKey) return { kind: "not", xy: to };
    return { kind: event.ctrlKey || event.metaKey ? "also" : "point", xy: to };
  }

  _forget() {
    [this._from, this._to] = [null, null];
  }
}

/** The prompt after a gesture: a click or a box starts an object, the others refine it. */
export function promptAfter(prompt, gesture) {
  if (gesture.kind === "point") return { points: [gesture.xy], not_points: [], box: null };
  if (gesture.kind === "box") return { points: [], not_points: [], box: gesture.box };
  if (!prompt) return null;
  const name = gesture.kind === "not" ? "not_points" : "points";
  return { ...prompt, [name]: [...prompt[name], gesture.xy] };
}

/** Outlines and names of segments, and the points of the current prompt. */
export function drawSegments(context, segments, scale, prompt = null) {
  const rows = segments.map((segment) => ({ ...segment, id: segment.label, class: segment.name }));
  drawMarks(context, rows, { scale, shown: MARKS });
  for (const [points, color] of [[prompt?.points, ON], [prompt?.not_points, OFF]]) {
    for (const [x, y] of points ?? []) {
      context.beginPath();
      context.arc(x * scale, y * scale, 5, 0, 2 * Math.PI);
      context.fillStyle = color;
      context.strokeStyle = "#ffffff";
      context.lineWidth = 2;
      context.fill();
      context.stroke();
    }
  }
}

function boxOf([x, y], [otherX, otherY]) {
  return [Math.min(x, otherX), Math.min(y, otherY), Math.max(x, otherX), Math.max(y, otherY)];
}
