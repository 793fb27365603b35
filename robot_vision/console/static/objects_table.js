// The table of tracked objects: the same data as in the pictures.
import { el, keyed, setAttribute, setText } from "./dom.js";
import { number, seconds } from "./format.js";
import { colorOf } from "./palette.js";

const UPDATE_MS = 250; // faster is unreadable, and a table costs more than a canvas

export class ObjectsTable {
  constructor(body, empty, tracks, select) {
    [this._body, this._empty, this._tracks, this._select] = [body, empty, tracks, select];
    this._nextMs = 0;
  }

  show({ now = false } = {}) {
    const nowMs = performance.now();
    if (!now && nowMs < this._nextMs) return;
    this._nextMs = nowMs + UPDATE_MS;
    const rows = (this._tracks.latest?.objects ?? []).filter((row) => row.state !== "ended");
    this._empty.hidden = rows.length > 0;
    keyed(this._body, rows, {
      key: (row) => row.id,
      create: (row) => this._create(row),
      update: (element, row) => this._update(element, row),
    });
  }

  _create(row) {
    const swatch = el("span", { class: "swatch" });
    swatch.style.backgroundColor = colorOf(row.id);
    const button = el("button", {
      type: "button",
      class: "object",
      "aria-pressed": "false",
      onclick: () => this._select(this._tracks.selected === row.id ? null : row.id),
    }, swatch, `#${row.id}`);
    const cells = [el("td", { class: "text" }, button), el("td", { class: "text" })];
    for (let i = 0; i < 8; i += 1) cells.push(el("td", { class: i === 1 ? "text" : "" }));
    return el("tr", {}, ...cells);
  }

  _update(element, row) {
    const selected = this._tracks.selected === row.id;
    setAttribute(element, "aria-selected", selected);
    setAttribute(element.querySelector("button"), "aria-pressed", selected);
    const [x, y, z] = row.position_m ?? [];
    const values = [
      row.class,
      `${Math.round(row.score * 100)} %`,
      row.state === "coasting" ? `unseen ${seconds(row.unseen_s)}` : row.state,
      number(x), number(y), number(z),
      row.position_m ? number(Math.hypot(x, y, z)) : "–",
      row.velocity_mps ? number(Math.hypot(...row.velocity_mps)) : "–",
      row.size_m ? row.size_m.map((value) => number(value * 100, 0)).join("×") : "–",
    ];
    values.forEach((value, i) => setText(element.cells[i + 1], value));
  }
}
