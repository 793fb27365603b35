// Internals of the models: the feature grid, the classes of pixels, or the policy's
// attention, over the picture.
import { Picture } from "./picture.js";

const LABEL = "Feature grid of the perception model, classes of pixels (listed in the panel of "
  + "classes), or attention of the policy, over the picture";

export class InsideView extends Picture {
  /** `camera` provides its picture as the background. */
  constructor(root, camera) {
    super(root, LABEL, (context, width, height) => this._draw(context, width, height));
    this._camera = camera;
    this.topic = "features";
    this.overPicture = true;
  }

  /** `features`, `segmentation` or `attention`: what was shown before is cleared. */
  choose(topic) {
    this.topic = topic;
    this.bitmap?.close();
    this.bitmap = null;
    this.freshness.forget();
    this._seenSinceMs = null;
    this.invalidate();
  }

  take(topic, bitmap, header) {
    if (topic === this.topic) this.show(bitmap, header);
    else bitmap.close();
  }

  // A grid has roughly the proportions of the view.
  shape() {
    if (this._camera.header) {
      super.shape(this._camera.header.width_px, this._camera.header.height_px);
    }
  }

  _draw(context, width, height) {
    const ground = this._camera.bitmap;
    if (this.overPicture && ground && this.bitmap) {
      context.filter = "grayscale(1)";
      context.drawImage(ground, 0, 0, width, height);
      context.filter = "none";
    }
    if (!this.bitmap) return;
    context.imageSmoothingEnabled = this.topic === "attention";
    context.globalAlpha = this.overPicture && this.topic === "features" ? 0.6 : 1;
    context.drawImage(this.bitmap, 0, 0, width, height);
    context.globalAlpha = 1;
  }
}
