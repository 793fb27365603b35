// A picture of the stream with its overlays. An old one is grey and shows its age.
import { el, setAttribute, setText } from "./dom.js";
import { Freshness } from "./freshness.js";
import { age } from "./format.js";
import { painter } from "./paint.js";

export class Picture {
  /** `draw(context, width, height, picture)` paints all; without it, the picture is stretched. */
  constructor(root, label, draw = drawStretched) {
    this.root = root;
    this.canvas = el("canvas", { role: "img", "aria-label": label });
    this._ageLabel = el("p", { class: "age", hidden: true });
    this._word = el("strong");
    this._reason = el("span");
    this._over = el("div", { class: "over", hidden: true }, this._word, this._reason);
    root.append(this.canvas, this._ageLabel, this._over);
    this.freshness = new Freshness();
    this._seenSinceMs = null;
    this.bitmap = null;
    this._painter = painter(this.canvas, (context, width, height) => {
      draw(context, width, height, this);
    });
  }

  show(bitmap, header) {
    this.bitmap?.close();
    this.bitmap = bitmap;
    this.freshness.arrived(header);
    this.shape(header.width_px, header.height_px);
    this.invalidate();
  }

  get header() {
    return this.freshness.header;
  }

  /** Adopts the proportions of the camera's image. */
  shape(widthPx, heightPx) {
    const ratio = `${widthPx} / ${heightPx}`;
    if (this.root.style.aspectRatio !== ratio) this.root.style.aspectRatio = ratio;
  }

  invalidate() {
    this._painter.invalidate();
  }

  /** How long the picture has been visible, and so subscribed to. */
  get lookedAtMs() {
    if (!this.visible || document.hidden) this._seenSinceMs = null;
    else this._seenSinceMs ??= performance.now();
    return this._seenSinceMs === null ? 0 : performance.now() - this._seenSinceMs;
  }

  get visible() {
    return this._painter.visible;
  }

  /** `trouble` is {title, reason} if nothing live can arrive; `wanted` is false while paused. */
  showStatus(trouble, wanted = true) {
    const old = Boolean(trouble) || (wanted && this.freshness.overdue);
    setAttribute(this.root, "data-stale", old);
    const ageMs = this.freshness.ageMs;
    this._ageLabel.hidden = ageMs === null;
    if (ageMs !== null) setText(this._ageLabel, `${old ? "OLD FRAME, " : "age "}${age(ageMs)}`);
    this._over.hidden = !trouble;
    if (trouble) {
      setText(this._word, trouble.title);
      setText(this._reason, trouble.reason);
    }
  }
}

export function drawStretched(context, width, height, { bitmap }) {
  if (bitmap) context.drawImage(bitmap, 0, 0, width, height);
}
