// The service's diagnostics, verbatim; reasons for missing output are on top.
import { byId, el, icon, keyed, setText } from "./dom.js";

const LEVELS = { ok: "ok", warn: "warning", error: "error", stale: "stale" };
const SHAPES = { ok: "ok", warn: "warn", error: "error", stale: "unknown" };

export function showDiagnostics({ diagnostics, silence, unusable }) {
  const items = diagnostics.map((item) => ({ ...item, key: `of ${item.name}` }));
  const counts = Object.entries(unusable).map(([topic, count]) => `${topic} ×${count}`);
  if (counts.length) {
    const message = `invalid and shown as unknown: ${counts.join(", ")}`;
    items.push({ key: "unusable", level: "warn", name: "what topics say", message });
  }
  if (silence) items.unshift({ key: "", level: "error", name: "why it is silent", message: silence });
  byId("no-diagnostics").hidden = items.length > 0;
  keyed(byId("diagnostics"), items, { key: (item) => item.key, create, update });
}

function create() {
  return el("li", {}, icon("ok"), el("div", {}, el("b"), el("span")));
}

function update(row, { level, name, message, key }) {
  if (row.dataset.level !== level) {
    row.dataset.level = level;
    row.querySelector("svg").replaceWith(icon(SHAPES[level]));
  }
  setText(row.querySelector("b"), `${name} (${LEVELS[level]})`);
  setText(row.querySelector("span"), message);
  row.classList.toggle("silence", key === "");
}
