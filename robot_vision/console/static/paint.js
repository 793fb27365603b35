// A canvas that is redrawn on changes, at the screen's resolution, and only if visible.

const MAX_PIXEL_RATIO = 2;

/** `draw(context, width, height)` in CSS pixels. Returns {invalidate, visible}. */
export function painter(canvas, draw) {
  const context = canvas.getContext("2d");
  let [visible, queued, stale] = [false, false, true];

  const paint = () => {
    queued = false;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!visible || !width || !height) return;
    const ratio = Math.min(devicePixelRatio, MAX_PIXEL_RATIO);
    const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
      canvas.width = pixelWidth;
      canvas.height = pixelHeight;
    }
    stale = false;
    context.setTransform(pixelWidth / width, 0, 0, pixelHeight / height, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  const invalidate = () => {
    stale = true;
    if (!visible || queued) return;
    queued = true;
    requestAnimationFrame(paint);
  };

  new ResizeObserver(invalidate).observe(canvas);
  new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible && stale) invalidate();
  }).observe(canvas);
  document.addEventListener("theme", invalidate);
  return {
    invalidate,
    get visible() {
      return visible;
    },
  };
}
