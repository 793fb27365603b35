// Colour-coded depth, and its scale in metres.
import { setText } from "./dom.js";
import { number } from "./format.js";
import { painter } from "./paint.js";
import { Picture } from "./picture.js";

const NO_COLORS = [];

export class DepthView extends Picture {
  constructor(root, scale) {
    super(root, "Colour-coded depth; the scale below is in metres");
    [this._near, this._bar, this._far] = scale.children;
    this._colors = NO_COLORS;
    this._barPainter = painter(this._bar, (context, width, height) => {
      drawColors(context, width, height, this._colors);
    });
  }

  show(bitmap, header) {
    super.show(bitmap, header);
    setText(this._near, `${number(header.min_m, 2)} m`);
    setText(this._far, `${number(header.max_m, 2)} m`);
    const colors = header.colors ?? NO_COLORS;
    if (colors.join() === this._colors.join()) return;
    this._colors = colors;
    this._barPainter.invalidate();
  }
}

/** The colours from the near end (left) to the far end. */
export function drawColors(context, width, height, colors) {
  const step = width / colors.length;
  colors.forEach((color, i) => {
    context.fillStyle = color;
    context.fillRect(i * step, 0, step + 1, height);
  });
}
