// The numbers of a policy's latest action: a click on one asks why.
import { byId, el, keyed, setText } from "./dom.js";
import { number } from "./format.js";

const ASKED_MS = 500;
const DEGREES = 180 / Math.PI;
const TURNS = ["rx", "ry", "rz"];
const WAYS = ["x", "y", "z"];

export class WhyActions {
  /** `onClick` hears the target of the number that was clicked. */
  constructor(onClick) {
    this._onClick = onClick;
    this._timer = null;
  }

  /** Follow the policy, or leave it. */
  follow(isOn) {
    byId("actions-part").hidden = !isOn;
    clearInterval(this._timer);
    if (!isOn) return;
    this._timer = setInterval(() => this._ask(), ASKED_MS);
    this._ask();
  }

  async _ask() {
    if (document.hidden) return;
    try {
      const response = await fetch("/api/why/policy");
      const answer = await response.json();
      if (response.ok) this._show(answer);
      else this._say(answer.detail);
    } catch {
      this._say("the console cannot be reached");
    }
  }

  _say(problem) {
    byId("numbers").replaceChildren();
    setText(byId("actions-about"), problem);
  }

  _show({ model, names, action, age_s: ageS }) {
    const age = `decided ${(ageS * 1000).toFixed(0)} ms ago`;
    setText(byId("actions-about"), `${model}, ${action.length ? age : "which holds"}`);
    const numbers = names.map((name, row) => ({ name, value: action[row] }));
    keyed(byId("numbers"), action.length ? numbers : [], {
      key: ({ name }) => name,
      create: ({ name }) => el("button", {
        type: "button", onclick: () => this._onClick(`action:0,${name}`),
      }),
      update: (button, { name, value }) => setText(button, `${name} ${words(name, value)}`),
    });
  }
}

function words(name, value) {
  if (WAYS.includes(name)) return `${number(value * 1000, 1)} mm`;
  if (TURNS.includes(name)) return `${number(value * DEGREES, 1)}°`;
  return number(value, 2);
}
