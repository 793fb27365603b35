// The classes of the view and of its pixels, if the service has such models.
import { pictureRows, pixelRows, showBars } from "./class_bars.js";
import { setAttribute, setText } from "./dom.js";

// Results continued for this long without these classes, though subscribed: old, then from a
// model that is gone.
const OLD_NS = 2e9;
const GONE_NS = 6e9;
const PATIENCE_MS = 2000;

export class ClassesPanel {
  constructor(panel) {
    this._panel = panel;
    this._inSight = false;
    this._askedSinceMs = null;
    [this._view, this._pixels] = [...panel.querySelectorAll(".kind")].map((root) => new Kind(root));
    new IntersectionObserver(([entry]) => {
      this._inSight = entry.isIntersecting;
    }).observe(panel);
  }

  /** Whether to subscribe to classes: even while there are none, as they may start any time. */
  get wanted() {
    return this._panel.hidden || this._inSight;
  }

  showView(view) {
    this._view.show(view.stamp_ns, pictureRows(view.classes), view.model);
  }

  showPixels(header) {
    this._pixels.show(header.stamp_ns, pixelRows(header.classes));
  }

  /** Shows current classes; `newestNs` is the stamp of the newest result. */
  refresh(newestNs) {
    if (!this.wanted || document.hidden) this._askedSinceMs = null;
    else this._askedSinceMs ??= performance.now();
    const isAsked = this._askedSinceMs !== null
      && performance.now() - this._askedSinceMs > PATIENCE_MS;
    for (const kind of [this._view, this._pixels]) kind.refresh(newestNs, isAsked);
    this._panel.hidden = this._view.hidden && this._pixels.hidden;
  }
}

class Kind {
  constructor(root) {
    this._root = root;
    this._bars = root.querySelector("ul");
    this._model = root.querySelector(".muted");
    this._stampNs = null;
  }

  get hidden() {
    return this._root.hidden;
  }

  show(stampNs, rows, model = "") {
    this._stampNs = stampNs;
    showBars(this._bars, rows);
    setText(this._model, model);
  }

  // Topics not subscribed, because out of sight, send nothing: the view stays as it was.
  refresh(newestNs, isAsked) {
    const behindNs = this._stampNs === null ? Infinity : newestNs - this._stampNs;
    if (behindNs > OLD_NS && !isAsked && !this.hidden) return;
    setAttribute(this._root, "data-old", behindNs > OLD_NS);
    this._root.hidden = behindNs > GONE_NS;
  }
}
