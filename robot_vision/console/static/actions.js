// The seven action values over time, with interventions of the safety filter.
import { drawLane, niceAbove } from "./chart.js";
import { byId, el, keyed, setText } from "./dom.js";
import { clock, number } from "./format.js";
import { painter } from "./paint.js";

const DEGREES = 180 / Math.PI;
const SHOWN_INTERVENTIONS = 5;
const LANES = [
  { name: "Δx", unit: "mm", factor: 1000 },
  { name: "Δy", unit: "mm", factor: 1000 },
  { name: "Δz", unit: "mm", factor: 1000 },
  { name: "Δrx", unit: "°", factor: DEGREES },
  { name: "Δry", unit: "°", factor: DEGREES },
  { name: "Δrz", unit: "°", factor: DEGREES },
  { name: "gripper", unit: "", factor: 1, low: 0, high: 1 },
];

export class Actions {
  constructor(series) {
    this._series = series;
    this._lanes = LANES.map((lane, column) => this._lane(lane, column));
  }

  show(policy) {
    byId("actions-panel").hidden = !policy;
    LANES.forEach(({ factor, unit }, column) => {
      const value = policy?.action?.[column];
      const shown = value === undefined ? "–" : `${number(value * factor, 2)} ${unit}`;
      setText(this._lanes[column].output, shown);
    });
  }

  redraw() {
    for (const { painter: one } of this._lanes) one.invalidate();
    const marked = this._series.actions.filter(({ interventions }) => interventions.length);
    const latest = marked.slice(-SHOWN_INTERVENTIONS).reverse();
    byId("no-interventions").hidden = latest.length > 0;
    keyed(byId("interventions"), latest, {
      key: ({ at_s: atS }) => atS,
      create: ({ at_s: atS, interventions }) => el("li", {
        textContent: `▼ ${clock(atS)} ${interventions.join(", ")}`,
      }),
      update: () => {},
    });
  }

  _lane(lane, column) {
    const canvas = el("canvas", { role: "img", "aria-label": `${lane.name} over the last minute` });
    const output = el("output", { textContent: "–" });
    byId("lanes").append(el("span", { textContent: lane.name }), canvas, output);
    return {
      output,
      painter: painter(canvas, (context, width, height) => {
        this._draw(context, width, height, lane, column);
      }),
    };
  }

  _draw(context, width, height, { factor, low, high }, column) {
    const { actions, nowS } = this._series;
    const points = actions.map(({ at_s: atS, action }) => [
      atS, action ? action[column] * factor : null,
    ]);
    const most = niceAbove(Math.max(...points.map(([, value]) => Math.abs(value ?? 0)), 1e-3));
    drawLane(context, width, height, {
      points,
      nowS,
      marks: actions.filter(({ interventions }) => interventions.length).map(({ at_s }) => at_s),
      held: spans(actions.filter(({ holding }) => holding).map(({ at_s }) => at_s)),
      low: low ?? -most,
      high: high ?? most,
    });
  }
}

/** Merges close times into ranges [from, to]. */
function spans(times, gapS = 1.5) {
  const found = [];
  for (const atS of times) {
    const last = found.at(-1);
    if (last && atS - last[1] <= gapS) last[1] = atS;
    else found.push([atS, atS]);
  }
  return found;
}
