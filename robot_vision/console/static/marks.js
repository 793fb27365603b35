// Boxes, names, masks and trails, drawn over a picture. Coordinates are the camera's pixels.
import { number } from "./format.js";
import { colorOf, inkOn } from "./palette.js";
import { drawSkeleton } from "./skeleton.js";

const SHADOW = "rgb(0 0 0 / 0.65)";
const FONT = "600 12px system-ui, 'DejaVu Sans', sans-serif";
const SMALL_PX = 480;
const DASHES = { confirmed: [], coasting: [7, 5], tentative: [2, 3] };

/** `rows` are objects or detections; `scale` is CSS pixels per pixel of the camera. */
export function drawMarks(context, rows, { scale, shown, bones = [], trails = new Map(), selected = null }) {
  context.lineJoin = "round";
  const marks = rows.filter((row) => row.box_xyxy_px && row.state !== "ended");
  if (shown.has("masks")) for (const row of marks) drawMask(context, row, scale);
  if (shown.has("trails")) {
    for (const [id, points] of trails) drawTrail(context, points, scale, colorOf(id));
  }
  if (shown.has("boxes")) {
    for (const row of marks) drawBox(context, row, scale, selected);
    for (const row of marks) drawSkeleton(context, row, bones, scale);
  }
  if (shown.has("names")) {
    const plates = [];
    for (const row of marks) drawName(context, row, scale, plates);
  }
}

/** `#id class 93 % 0.72 m`; `short` is for small pictures: `#id class`. */
export function nameOf(row, short = false) {
  if (short) return row.state ? `#${row.id} ${row.class}` : row.class;
  const parts = [row.state ? `#${row.id}` : "", row.class, `${Math.round(row.score * 100)} %`];
  const meters = row.distance_m ?? (row.position_m && Math.hypot(...row.position_m));
  if (meters) parts.push(`${number(meters, 2)} m`);
  if (row.state === "coasting") parts.push("(not seen)");
  return parts.filter(Boolean).join(" ");
}

function drawMask(context, row, scale) {
  if (!row.outline_px) return;
  const path = new Path2D();
  for (const polygon of row.outline_px) {
    polygon.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](x * scale, y * scale));
    path.closePath();
  }
  context.setLineDash([]);
  context.fillStyle = colorOf(row.id, 0.38);
  context.fill(path);
  context.strokeStyle = colorOf(row.id);
  context.lineWidth = 1.2;
  context.stroke(path);
}

function drawTrail(context, points, scale, color) {
  if (points.length < 2) return;
  context.beginPath();
  points.forEach(({ x, y }, i) => context[i ? "lineTo" : "moveTo"](x * scale, y * scale));
  context.setLineDash([]);
  for (const [style, width] of [[SHADOW, 4], [color, 2]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke();
  }
}

function drawBox(context, row, scale, selected) {
  const corners = cornersOf(row).map((xy) => xy.map((value) => value * scale));
  const chosen = row.id === selected && row.state;
  context.setLineDash(DASHES[row.state] ?? []);
  for (const [style, width] of [[chosen ? "#ffffff" : SHADOW, chosen ? 7 : 4], [colorOf(row.id), chosen ? 3 : 2]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    for (const [x, y] of corners) context.lineTo(x, y);
    context.closePath();
    context.stroke();
  }
  context.setLineDash([]);
}

function cornersOf({ box_xyxy_px: [left, top, right, bottom], oriented_box: box }) {
  if (!box) return [[left, top], [right, top], [right, bottom], [left, bottom]];
  const [[x, y], [width, height]] = [box.center_px, box.size_px];
  const [cos, sin] = [Math.cos(box.angle_rad) / 2, Math.sin(box.angle_rad) / 2];
  return [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) => [
    x + a * width * cos - b * height * sin,
    y + a * width * sin + b * height * cos,
  ]);
}

// Labels do not overlap: a label moves below those already placed.
function drawName(context, row, scale, plates) {
  context.font = FONT;
  const room = context.canvas.clientWidth;
  const text = nameOf(row, room < SMALL_PX);
  const [width, height] = [context.measureText(text).width + 8, 18];
  const x = Math.max(0, Math.min(row.box_xyxy_px[0] * scale, room - width));
  let y = Math.max(0, row.box_xyxy_px[1] * scale - height);
  const covers = (plate) => Math.abs(plate.y - y) < height && plate.x < x + width && x < plate.x + plate.width;
  for (let tries = 0; tries < 8 && plates.some(covers); tries += 1) {
    y = plates.find(covers).y + height;
  }
  plates.push({ x, y, width });
  context.fillStyle = colorOf(row.id);
  context.fillRect(x, y, width, height);
  context.fillStyle = inkOn(row.id);
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(text, x + 4, y + height / 2 + 0.5);
}
