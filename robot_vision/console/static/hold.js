// Hold is always within reach: the button at the bottom, Space and Escape. Shows the arm's state.
import { command } from "./api.js";
import { icon, setAttribute, setText } from "./dom.js";

const TYPING = new Set(["INPUT", "TEXTAREA", "SELECT"]);

export const hold = () => command("/api/hold");

/** Space holds except while typing; Escape always holds. `holds()`: whether there is an arm. */
export function holdKeys(holds, send) {
  document.addEventListener("keydown", (event) => {
    const typing = TYPING.has(event.target.tagName) || event.isComposing;
    const wanted = event.key === "Escape" ? !event.isComposing : event.key === " " && !typing;
    if (!wanted || !holds()) return;
    event.preventDefault(); // Space would also press the button that has the focus
    if (!event.repeat) send();
  }, { capture: true });
  // A button reacts to Space on key release.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && !TYPING.has(event.target.tagName) && holds()) event.preventDefault();
  }, { capture: true });
}

/** Shows an arm's state in a `.state` box: shape, word and colour together. */
export function showState(box, arm) {
  if (box.dataset.shown !== arm.state) {
    box.dataset.shown = box.dataset.state = arm.state;
    box.querySelector("svg").replaceWith(icon(arm.state));
  }
  setText(box.querySelector("strong"), arm.word);
  setText(box.querySelector("span"), arm.sentence);
}

/** The bar at the bottom: hidden if there is no arm to hold. */
export function showHoldBar(bar, arm) {
  bar.hidden = arm.state === "none";
  setAttribute(document.body, "data-holdbar", !bar.hidden);
  showState(bar.querySelector(".state"), arm);
}
