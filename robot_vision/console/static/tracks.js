// Known objects: results by frame, and the trail of each box.

const KEPT_RESULTS = 16;
const TRAIL_NS = 3e9;
const NEAREST_NS = 3e8; // a result further from the picture's stamp does not apply to it

export class Tracks {
  constructor() {
    this._results = [];
    this.trails = new Map();
    this.selected = null;
  }

  add(view) {
    const last = this.latest;
    if (last && (view.epoch !== last.epoch || view.stamp_ns < last.stamp_ns)) this._restart();
    this._results.push(view);
    this._results.splice(0, this._results.length - KEPT_RESULTS);
    for (const { id, box_xyxy_px: box } of view.objects) {
      if (!box) continue;
      const trail = this.trails.get(id) ?? [];
      trail.push({ stamp_ns: view.stamp_ns, x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2 });
      this.trails.set(id, trail);
    }
    for (const [id, trail] of this.trails) {
      while (trail.length && trail[0].stamp_ns < view.stamp_ns - TRAIL_NS) trail.shift();
      if (!trail.length) this.trails.delete(id);
    }
  }

  get latest() {
    return this._results.at(-1) ?? null;
  }

  /** The result for the picture of that stamp, or the nearest in time if that is near. */
  at(stampNs) {
    let best = null;
    for (const view of this._results) {
      const off = Math.abs(view.stamp_ns - stampNs);
      if (off <= NEAREST_NS && (!best || off <= Math.abs(best.stamp_ns - stampNs))) best = view;
    }
    return best;
  }

  _restart() {
    this._results = [];
    this.trails.clear();
  }
}
