// The camera's picture overlaid with the objects of the same frame.
import { drawMarks } from "./marks.js";
import { Picture, drawStretched } from "./picture.js";

export class CameraView extends Picture {
  constructor(root, tracks, select) {
    super(root, "Camera picture with tracked objects; the table of objects has the same data", (
      context, width, height,
    ) => this._draw(context, width, height));
    this._tracks = tracks;
    this.shown = new Set();
    this.over = null; // draws over the objects: (context, scale, stamp)
    this.segments = null;
    this.canvas.addEventListener("click", (event) => {
      if (!this.segments?.active) select(this._objectAt(event.offsetX, event.offsetY));
    });
  }

  _draw(context, width, height) {
    drawStretched(context, width, height, this);
    if (this.header) this.segments?.draw(context, width, this.header);
    const view = this._view();
    if (!view) return;
    drawMarks(context, view.objects, {
      scale: this._scale(width, view),
      shown: this.shown,
      bones: view.bones,
      trails: this._tracks.trails,
      selected: this._tracks.selected,
    });
    this.over?.(context, this._scale(width, view), this.header.stamp_ns);
  }

  _view() {
    return this.header && this._tracks.at(this.header.stamp_ns);
  }

  _scale(width, view) {
    return width / (view.width_px || this.header.width_px);
  }

  // The smallest box under the pointer: it is the one in front.
  _objectAt(x, y) {
    const view = this._view();
    if (!view) return null;
    const scale = this._scale(this.canvas.clientWidth, view);
    const area = ({ box_xyxy_px: [left, top, right, bottom] }) => (right - left) * (bottom - top);
    const hit = view.objects
      .filter(({ box_xyxy_px: box }) => box && box[0] * scale <= x && x <= box[2] * scale
        && box[1] * scale <= y && y <= box[3] * scale)
      .sort((a, b) => area(a) - area(b))[0];
    return hit ? hit.id : null;
  }
}
