// Small line charts over the last minute. Lines differ by dashes and labels, not only by colour.
import { number } from "./format.js";
import { themed } from "./palette.js";
import { WINDOW_S } from "./series.js";

const NICE = [1, 2, 2.5, 5, 10];
const FONT = "11px system-ui, 'DejaVu Sans', sans-serif";
const LEFT = 44;
const BOTTOM = 18;

/** The next round number at or above `value`. */
export function niceAbove(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * NICE.find((step) => step * power >= value * 0.999);
}

/** Across the canvas from `WINDOW_S` ago to now. */
const acrossTime = (nowS, left, width) => (atS) =>
  left + ((atS - nowS) / WINDOW_S + 1) * (width - left);

/**
 * `lines` are {color, dash, width, points: [[at_s, value or null]]}; a gap of more than `gapS`
 * breaks the line, because the missing values are unknown.
 */
export function drawLines(context, lines, { x, y, gapS }) {
  context.lineJoin = "round";
  for (const { color, dash = [], width = 1.5, points } of lines) {
    context.beginPath();
    let lastS = null;
    for (const [atS, value] of points) {
      if (value === null || value === undefined) {
        lastS = null;
        continue;
      }
      const joins = lastS !== null && atS - lastS <= gapS;
      context[joins ? "lineTo" : "moveTo"](x(atS), y(value));
      if (!joins) context.lineTo(x(atS) + 0.5, y(value));
      lastS = atS;
    }
    context.setLineDash(dash);
    context.strokeStyle = themed(color);
    context.lineWidth = width;
    context.stroke();
  }
  context.setLineDash([]);
}

/** A chart with axes: milliseconds vertically, the last minute horizontally. */
export function drawChart(context, width, height, { lines, nowS, unit }) {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const top = niceAbove(Math.max(...values, 0.001) * 1.05);
  const base = height - BOTTOM;
  const x = acrossTime(nowS, LEFT, width);
  const y = (value) => 8 + (1 - value / top) * (base - 8);
  context.font = FONT;
  context.fillStyle = themed("muted");
  context.strokeStyle = themed("line");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0, 0.5, 1]) {
    const at = Math.round(y(top * share)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width, at);
    context.stroke();
    context.fillText(number(top * share, top < 10 && share === 0.5 ? 1 : 0), LEFT - 6, at);
  }
  context.textBaseline = "alphabetic";
  for (const [secondsAgo, align] of [[60, "left"], [30, "center"], [0, "right"]]) {
    context.textAlign = align;
    context.fillText(secondsAgo ? `−${secondsAgo} s` : "now", x(nowS - secondsAgo), height - 4);
  }
  context.textAlign = "left";
  context.fillText(unit, 0, height - 4);
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, width - LEFT, height);
  context.clip();
  drawLines(context, lines, { x, y, gapS: 2.5 });
  context.restore();
}

/** A line without axes, scaled from zero to its maximum. */
export function drawSpark(context, width, height, { lines, nowS }) {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const top = Math.max(...values, 1e-6);
  context.strokeStyle = themed("line");
  context.lineWidth = 1;
  context.strokeRect(0, height - 0.5, width, 0);
  drawLines(context, lines, {
    x: acrossTime(nowS, 0, width),
    y: (value) => height - 2 - (value / top) * (height - 5),
    gapS: 2.5,
  });
}

/** Counts per second, as bars. */
export function drawBars(context, width, height, { points, nowS }) {
  const top = Math.max(...points.map(([, value]) => value), 1);
  const x = acrossTime(nowS, 0, width);
  context.strokeStyle = themed("line");
  context.lineWidth = 1;
  context.strokeRect(0, height - 0.5, width, 0);
  context.fillStyle = themed("c2");
  const bar = Math.max(width / WINDOW_S - 0.5, 1);
  for (const [atS, value] of points) {
    const tall = (value / top) * (height - 4);
    if (value > 0) context.fillRect(x(atS) - bar, height - 1 - tall, bar, tall);
  }
}

/** One action value: zero in the middle, shaded while holding, ▼ where a limit intervened. */
export function drawLane(context, width, height, { points, marks, held, nowS, low, high }) {
  const x = acrossTime(nowS, 0, width);
  const y = (value) => height - 2 - ((value - low) / (high - low)) * (height - 5);
  context.fillStyle = themed("none-soft");
  for (const [fromS, toS] of held) {
    context.fillRect(x(fromS), 0, Math.max(x(toS) - x(fromS), 1), height);
  }
  context.strokeStyle = themed("line");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, y(0));
  context.lineTo(width, y(0));
  context.stroke();
  drawLines(context, [{ color: "c1", points, width: 1.4 }], { x, y, gapS: 1.5 });
  context.fillStyle = themed("hold");
  for (const atS of marks) {
    context.beginPath();
    context.moveTo(x(atS) - 4, 0);
    context.lineTo(x(atS) + 4, 0);
    context.lineTo(x(atS), 7);
    context.fill();
  }
}
