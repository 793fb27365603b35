// Tracked objects from above, in metres: position, uncertainty and speed.
import { number } from "./format.js";
import { painter } from "./paint.js";
import { colorOf, themed } from "./palette.js";

const GRID_STEPS_M = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];
const EXTENTS_M = [0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const GRID_PX = 36;
const MARGIN_PX = { left: 8, right: 8, top: 14, bottom: 30 };
const SIGMAS = 2;
const FONT = "11px system-ui, 'DejaVu Sans', sans-serif";

// In camera axes (REP 103 optical) right is x and forward is z; in a fixed frame, −y and x.
const CAMERA_AXES = { right: [0, 1], forward: [2, 1], words: "x to the right, z ahead" };
const FIXED_AXES = { right: [1, -1], forward: [0, 1], words: "y to the left, x ahead" };

export class TopView {
  constructor(canvas, tracks) {
    this._tracks = tracks;
    this._extentM = EXTENTS_M[0];
    this._painter = painter(canvas, (context, width, height) => {
      this._draw(context, width, height);
    });
  }

  invalidate() {
    this._painter.invalidate();
  }

  get visible() {
    return this._painter.visible;
  }

  _draw(context, width, height) {
    const view = this._tracks.latest;
    const axes = view && isTurned(view.orientation_xyzw) ? FIXED_AXES : CAMERA_AXES;
    const points = (view?.objects ?? [])
      .filter((row) => row.position_m && row.state !== "ended")
      .map((row) => ({ row, ...project(row, axes) }));
    const inner = {
      width: width - MARGIN_PX.left - MARGIN_PX.right,
      height: height - MARGIN_PX.top - MARGIN_PX.bottom,
    };
    this._fit(points, inner);
    const perM = inner.height / this._extentM;
    const place = (right, forward) => [
      width / 2 + right * perM,
      height - MARGIN_PX.bottom - forward * perM,
    ];
    context.font = FONT;
    drawGrid(context, { width, height, perM, place });
    drawCamera(context, place, axes);
    const labels = [];
    for (const point of points) {
      drawObject(context, point, place, perM, this._tracks.selected);
      drawLabel(context, point, place, labels);
    }
    context.fillStyle = themed("muted");
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    const frame = view ? `${view.frame_id}: ${axes.words}` : "no objects yet";
    context.fillText(frame, MARGIN_PX.left, height - 6, width - 2 * MARGIN_PX.left);
  }

  // The scale grows at once and shrinks with hysteresis, so that it does not flicker.
  _fit(points, inner) {
    const needM = Math.max(
      EXTENTS_M[0],
      ...points.map(({ forward }) => forward * 1.12),
      ...points.map(({ right }) => (Math.abs(right) * 2.2 * inner.height) / inner.width),
    );
    const fitting = EXTENTS_M.find((extent) => extent >= needM) ?? needM;
    if (fitting > this._extentM || needM < this._extentM * 0.6) this._extentM = fitting;
  }
}

const isTurned = (q) => Math.abs(q[3]) < 0.9999;

function project(row, { right, forward }) {
  const [[r, rs], [f, fs]] = [right, forward];
  const cov = row.position_covariance_m2;
  return {
    right: row.position_m[r] * rs,
    forward: row.position_m[f] * fs,
    velocity: row.velocity_mps && [row.velocity_mps[r] * rs, row.velocity_mps[f] * fs],
    covariance: cov && [cov[r][r], cov[r][f] * rs * fs, cov[f][f]],
  };
}

function drawGrid(context, { width, height, perM, place }) {
  // Never closer than that, however far an object seems to be: there would be billions of lines.
  const stepM = GRID_STEPS_M.find((step) => step * perM >= GRID_PX) ?? GRID_PX / perM;
  const digits = stepM < 0.1 ? 2 : stepM < 1 ? 1 : 0;
  context.strokeStyle = themed("line");
  context.fillStyle = themed("muted");
  context.lineWidth = 1;
  context.setLineDash([]);
  context.beginPath();
  const columns = Math.floor(width / 2 / perM / stepM);
  for (let i = -columns; i <= columns; i += 1) {
    const x = Math.round(place(i * stepM, 0)[0]) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height - MARGIN_PX.bottom);
  }
  const rows = Math.floor((height - MARGIN_PX.bottom) / perM / stepM);
  context.textAlign = "left";
  context.textBaseline = "bottom";
  for (let i = 0; i <= rows; i += 1) {
    const y = Math.round(place(0, i * stepM)[1]) + 0.5;
    context.moveTo(0, y);
    context.lineTo(width, y);
    if (i && y > 12) context.fillText(`${number(i * stepM, digits)} m`, 4, y - 1);
  }
  context.stroke();
}

function drawCamera(context, place, axes) {
  const [x, y] = place(0, 0);
  context.strokeStyle = themed("text");
  context.fillStyle = themed("text");
  context.lineWidth = 1.5;
  context.beginPath();
  if (axes === CAMERA_AXES) {
    context.moveTo(x, y);
    context.lineTo(x - 9, y - 14);
    context.lineTo(x + 9, y - 14);
    context.closePath();
  } else {
    context.moveTo(x - 8, y);
    context.lineTo(x + 8, y);
    context.moveTo(x, y + 8);
    context.lineTo(x, y - 8);
  }
  context.stroke();
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(axes === CAMERA_AXES ? "camera" : "origin", x + 13, y - 7);
}

function drawObject(context, point, place, perM, selected) {
  const { row } = point;
  const [x, y] = place(point.right, point.forward);
  const color = colorOf(row.id);
  context.lineWidth = 1.5;
  context.strokeStyle = color;
  context.setLineDash(row.state === "confirmed" ? [] : [4, 3]);
  if (point.covariance) {
    const { major, minor, angle } = ellipse(point.covariance);
    context.beginPath();
    context.ellipse(x, y, major * perM * SIGMAS, minor * perM * SIGMAS, -angle, 0, 2 * Math.PI);
    context.fillStyle = colorOf(row.id, 0.2);
    context.fill();
    context.stroke();
  }
  context.setLineDash([]);
  if (point.velocity) drawArrow(context, x, y, point.velocity.map((v) => v * perM));
  context.beginPath();
  context.arc(x, y, row.id === selected ? 7 : 4.5, 0, 2 * Math.PI);
  context.fillStyle = color;
  context.fill();
  context.strokeStyle = themed("text");
  context.lineWidth = row.id === selected ? 2.5 : 1;
  context.stroke();
}

// Labels move down until they cover no other.
function drawLabel(context, { row, right, forward }, place, labels) {
  const [x, y] = place(right, forward);
  const text = `#${row.id} ${row.class}`;
  const label = { x: x + 9, y: y - 8, width: context.measureText(text).width };
  const covers = (other) => Math.abs(other.y - label.y) < 12
    && other.x < label.x + label.width && label.x < other.x + other.width;
  for (let tries = 0; tries < 8 && labels.some(covers); tries += 1) {
    label.y = labels.find(covers).y + 12;
  }
  labels.push(label);
  context.fillStyle = themed("text");
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(text, label.x, label.y);
}

/** Where it will be in one second. */
function drawArrow(context, x, y, [right, forward]) {
  const length = Math.hypot(right, forward);
  if (length < 6) return;
  const [tipX, tipY] = [x + right, y - forward];
  const angle = Math.atan2(-forward, right);
  context.strokeStyle = themed("text");
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(tipX, tipY);
  for (const side of [-0.5, 0.5]) {
    context.moveTo(tipX, tipY);
    context.lineTo(tipX - 7 * Math.cos(angle + side), tipY - 7 * Math.sin(angle + side));
  }
  context.stroke();
}

/** Semi-axes (1 σ, metres) and angle of a 2 × 2 covariance [xx, xy, yy]. */
function ellipse([xx, xy, yy]) {
  const mean = (xx + yy) / 2;
  const spread = Math.hypot((xx - yy) / 2, xy);
  return {
    major: Math.sqrt(Math.max(mean + spread, 0)),
    minor: Math.sqrt(Math.max(mean - spread, 0)),
    angle: 0.5 * Math.atan2(2 * xy, xx - yy),
  };
}
