// Small DOM helpers. External data becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

// Shapes differ, so that no state is shown by colour alone.
const ICONS = {
  ok: "M6.2 11.6 2.6 8l1.3-1.3 2.3 2.3 5.9-5.9L13.4 4.4z",
  warn: "M8 1 15.5 14.5H.5zM7.1 6v4h1.8V6zm0 5v1.7h1.8V11z",
  error: "M5 .8h6L15.2 5v6L11 15.200H5L.8 11V5zM5.6 4.3 4.3 5.6 6.7 8l-2.4 2.4 1.3 1.300L8 9.300l2.4 2.4 1.3-1.300L9.3 8l2.4-2.4-1.3-1.300L8 6.700z",
  moving: "M3 1.5 14 8 3 14.500z",
  hold: "M5 .8h6L15.2 5v6L11 15.200H5L.8 11V5zM5 4.500v7h2.200v-7zm3.8 0v7H11v-7z",
  waiting: "M8 .8a7.2 7.2 0 1 0 0 14.400A7.2 7.2 0 0 0 8 .8zM7.1 3.600h1.800v4.100l2.9 1.7-.9 1.500L7.1 8.700z",
  none: "M2 6.9h12v2.2H2z",
  unknown: "M8 .8a7.2 7.2 0 1 0 0 14.400A7.2 7.2 0 0 0 8 .8zM7.1 10.900h1.800v1.800H7.100zM8 3.200c1.9 0 3.1 1.1 3.1 2.7 0 1.9-2.2 2.2-2.2 3.900H7.100c0-2.5 2.1-2.7 2.1-3.9 0-.6-.4-1.1-1.2-1.100s-1.3.5-1.3 1.300H4.900c0-1.7 1.3-2.9 3.1-2.900z",
};

export const byId = (id) => document.getElementById(id);

/** An element with properties (`data-*`, `aria-*` and `class` as attributes) and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "class" || name === "role" || name === "scope") {
      element.setAttribute(name, value);
    } else element[name] = value;
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("d", ICONS[name] ?? ICONS.unknown);
  svg.append(path);
  return svg;
}

/** Sets text only if it changes: the layout stays valid, screen readers stay quiet. */
export function setText(element, text) {
  const string = String(text);
  if (element.textContent !== string) element.textContent = string;
}

/** Sets an attribute only if it changes. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/**
 * Keeps one child of `parent` per item, by key and in order: existing ones are updated in place,
 * so that focus, selection and open details are kept.
 */
export function keyed(parent, items, { key, create, update }) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let position = parent.firstElementChild;
  for (const item of items) {
    const id = String(key(item));
    let child = old.get(id);
    old.delete(id);
    if (!child) {
      child = create(item);
      child.dataset.key = id;
    }
    update(child, item);
    if (child === position) position = position.nextElementSibling;
    else parent.insertBefore(child, position);
  }
  for (const child of old.values()) child.remove();
}

/** A group of buttons that are each on or off; `changed` receives the set of those that are on. */
export function toggles(parent, changed) {
  const buttons = [...parent.querySelectorAll("button[aria-pressed]")];
  const on = () => new Set(buttons.filter(isPressed).map((button) => button.value));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!isPressed(button)));
      changed(on());
    });
  }
  return on();
}

export const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

/** The page's line for problems; empty hides it. */
export function showProblem(problem) {
  byId("problem").hidden = !problem;
  setText(byId("problem"), problem);
}
