// Age of results by stage, rates, and drops by cause.
import { drawBars, drawChart, drawSpark } from "./chart.js";
import { byId, el, keyed, setText } from "./dom.js";
import { count, hz, ms } from "./format.js";
import { painter } from "./paint.js";

const SPREAD = [
  { of: "p50", color: "c1", width: 2 },
  { of: "p95", color: "c2", dash: [6, 3] },
  { of: "p99", color: "c4", dash: [2, 3] },
];

// By table: `depth` is a stage and an input.
const WORDS = {
  stages: { age: "total age" },
  rates: { rgb: "colour in", depth: "depth in", camera_info: "intrinsics in",
    output: "results out", command: "commands out" },
};

export class Timing {
  constructor(series) {
    this._series = series;
    this._state = null;
    this._painters = new Map();
    this._chart = painter(byId("age-chart"), (context, width, height) => {
      const lines = SPREAD.map(({ of, ...style }) => ({ ...style, points: this._ages("age", of) }));
      drawChart(context, width, height, { lines, nowS: series.nowS, unit: "ms" });
    });
  }

  show(state) {
    this._state = state;
    this._table("stages", Object.entries(state.age_ms), ([, spread]) => [
      ms(spread.p50), ms(spread.p95), ms(spread.p99),
    ], (stage) => (context, width, height) => this._drawStage(context, width, height, stage));
    this._table("rates", Object.entries(state.rates_hz), ([, rate]) => [hz(rate)],
      (topic) => (context, width, height) => this._drawRate(context, width, height, topic));
    this._losses("drops", state.drops);
    this._losses("degraded", state.degraded);
    byId("no-drops").hidden = state.drops.length + state.degraded.length > 0;
    const missed = Object.entries(state.dropped ?? {}).filter(([, times]) => times > 0);
    setText(byId("missed"), missed.length
      ? `More data arrived than this page or the console could handle: ${missed.map(([t, n]) => `${t} ×${n}`).join(", ")} left out.`
      : "");
  }

  /** New seconds came. */
  redraw() {
    this._chart.invalidate();
    for (const one of this._painters.values()) one.invalidate();
  }

  _losses(id, counts) {
    byId(id).parentElement.hidden = counts.length === 0;
    this._table(id, counts.map(({ cause, total }) => [cause, total]), ([, total]) => [count(total)],
      (cause) => (context, width, height) => this._drawDrops(context, width, height, cause));
  }

  // A table row per name: its label, a small chart, and its numbers.
  _table(id, entries, numbers, drawer) {
    keyed(byId(id), entries, {
      key: ([name]) => name,
      create: ([name, value]) => {
        const canvas = el("canvas", { class: "spark", "aria-hidden": "true" });
        this._painters.set(`${id} ${name}`, painter(canvas, drawer(name)));
        return el("tr", {},
          el("th", { scope: "row", class: "text", textContent: WORDS[id]?.[name] ?? name }),
          el("td", {}, canvas),
          ...numbers([name, value]).map(() => el("td")));
      },
      update: (row, entry) => {
        numbers(entry).forEach((text, i) => setText(row.cells[i + 2], text));
      },
    });
  }

  _ages(stage, of) {
    return this._series.seconds.map((second) => [second.at_s, second.age_ms[stage]?.[of]]);
  }

  _drawStage(context, width, height, stage) {
    const lines = SPREAD.slice(0, 2).map(({ of, ...style }) => ({
      ...style, width: 1.2, points: this._ages(stage, of),
    }));
    drawSpark(context, width, height, { lines, nowS: this._series.nowS });
  }

  _drawRate(context, width, height, topic) {
    const points = this._series.seconds.map((second) => [second.at_s, second.rates_hz[topic]]);
    drawSpark(context, width, height, {
      lines: [{ color: "c1", points }], nowS: this._series.nowS,
    });
  }

  _drawDrops(context, width, height, cause) {
    const points = this._series.seconds.map((second) => [second.at_s, second.drops[cause] ?? 0]);
    drawBars(context, width, height, { points, nowS: this._series.nowS });
  }
}
