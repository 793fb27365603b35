// Bars of classes: the most likely ones of a picture, and those of its pixels with their colours.
import { el, keyed, setText } from "./dom.js";
import { number } from "./format.js";

const MOST_CLASSES = 5;

/** Rows of a classification's classes, most likely first. */
export function pictureRows(classes) {
  return classes.slice(0, MOST_CLASSES).map((row, rank) => (
    { key: `rank ${rank}`, name: row.class, share: row.probability }));
}

/** Rows of pixel classes: a legend with shares of the view. */
export function pixelRows(classes) {
  return classes.map((row) => (
    { key: `label ${row.label}`, name: row.class, share: row.share, color: row.color }));
}

/** Keeps an item of `list` for each row; a row with a colour, or null for none, has a swatch. */
export function showBars(list, rows) {
  keyed(list, rows, { key: (row) => row.key, create, update });
}

function create({ color }) {
  const swatch = color === undefined ? [] : [el("i", { class: "swatch" })];
  return el("li", {}, el("span", {}, ...swatch, el("span")), el("b", {}, el("i")), el("output"));
}

function update(item, { name, share, color }) {
  const [label, bar, output] = item.children;
  setText(label.lastElementChild, name);
  bar.firstElementChild.style.width = `${share * 100}%`;
  bar.firstElementChild.style.background = color ?? "";
  if (color !== undefined) label.firstElementChild.style.background = color ?? "";
  setText(output, `${number(share * 100, 1)} %`);
}
