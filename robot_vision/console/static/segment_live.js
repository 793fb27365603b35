// Pointing at objects in the live picture: tracking follows them until they are released.
import { command } from "./api.js";
import { byId, el, isPressed, keyed, setText } from "./dom.js";
import { number } from "./format.js";
import { Pointing, drawSegments, promptAfter } from "./pointing.js";

const ASK_MS = 250;
const OLD_NS = 3e9;
const PROMPT_MS = 8000;
const HOW = "Click an object; Ctrl-click: this too; Shift-click: not this; or drag a box.";

export class LiveSegments {
  /** `camera` is the view for pointing; `widthPx()` the width of the camera's picture. */
  constructor(camera, widthPx) {
    this._camera = camera;
    this._prompt = null;
    this._held = null;
    this._count = 0;
    this._pointing = new Pointing(camera.canvas, {
      widthPx,
      pointed: (gesture) => this._pointed(gesture),
      invalidate: () => camera.invalidate(),
    });
    this._widthPx = widthPx;
    this._button = byId("point");
    this._button.addEventListener("click", () => this._toggle());
    setInterval(() => {
      if (!document.hidden && (this.active || this._held?.segments.length)) this._look();
    }, ASK_MS);
    this._look();
  }

  get active() {
    return this._pointing.active;
  }

  draw(context, width, header) {
    const scale = width / (this._held?.width_px || this._widthPx() || width);
    const isOld = !this._held || Math.abs(this._held.stamp_ns - header.stamp_ns) > OLD_NS;
    drawSegments(context, isOld ? [] : this._held.segments.map(named), scale, this._prompt);
    this._pointing.draw(context, scale);
  }

  _toggle() {
    this._pointing.active = !isPressed(this._button);
    this._button.setAttribute("aria-pressed", String(this.active));
    this._camera.root.dataset.pointing = String(this.active);
    this._say(this.active ? HOW : "");
  }

  async _pointed(gesture) {
    const prompt = promptAfter(this._prompt, gesture);
    if (!prompt) return this._say("Click an object first, then what else belongs to it or does not.");
    if (gesture.kind === "point" || gesture.kind === "box") this._id = `object ${this._count += 1}`;
    this._prompt = prompt;
    this._camera.invalidate();
    clearTimeout(this._fade);
    this._fade = setTimeout(() => {
      this._prompt = null;
      this._camera.invalidate();
    }, PROMPT_MS);
    const id = this._id;
    const { done, message } = await command("/api/segment/live", { op: "hold", id, ...prompt });
    this._asked = done ? id : null;
    this._say(done ? `${id}: requested.` : message);
  }

  async _look() {
    try {
      const response = await fetch("/api/segment/live");
      if (response.ok) this._show(await response.json());
    } catch {
      // The connection pill already shows that the console is gone.
    }
  }

  _show({ problem, held, answers }) {
    this._held = held;
    if (problem && this.active) this._say(problem);
    for (const segment of held?.segments ?? []) this._count = Math.max(this._count, numberOf(segment));
    if (held?.segments.some(({ id }) => id === this._asked)) {
      this._asked = null;
      this._say(HOW);
    }
    this._sayProblems(answers.filter((answer) => answer.problems.length).at(-1));
    this._showPanel();
    keyed(byId("held"), held?.segments ?? [], {
      key: (segment) => segment.id,
      create: (segment) => el("li", {}, el("span"), el("button", {
        type: "button",
        textContent: "Release",
        "aria-label": `Release ${segment.id}`,
        onclick: () => command("/api/segment/live", { op: "release", id: segment.id }),
      })),
      update: (row, segment) => setText(row.firstChild, inWords(segment)),
    });
    this._camera.invalidate();
  }

  /** Once; problems from before the page was opened are not shown. */
  _sayProblems(newest) {
    const said = newest ? `${newest.stamp_ns} ${newest.problems.join("; ")}` : "";
    if (this._said !== undefined && said && said !== this._said) {
      this._asked = null;
      this._say(newest.problems.join("; "));
    }
    this._said = said;
  }

  _say(text) {
    setText(byId("pointing-says"), text);
    this._showPanel();
  }

  /** The message about a lost object stays after the last one is released. */
  _showPanel() {
    const isEmpty = !this._held?.segments.length && !byId("pointing-says").textContent;
    byId("pointing").hidden = !this.active && isEmpty;
  }
}

/** The number of an object named by a page: new numbers continue after those followed. */
const numberOf = ({ id }) => Number(/^object (\d{1,6})$/.exec(id)?.[1] ?? 0);
const named = (segment) => ({ ...segment, name: segment.id });

function inWords({ id, score, track_id: track, how, mask_age_s: age }) {
  const by = track === null ? "by its mask" : `by track #${track}`;
  const since = how === "carried" ? `, mask ${number(age, 1)} s old` : "";
  return `${id}: score ${number(score, 2)}, followed ${by}${since}`;
}
