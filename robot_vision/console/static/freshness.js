// How old a picture is now, and whether it may still be shown as live. The browser's clock is
// never compared with the robot's: pictures carry their age at arrival.

const OLDEST_MS = 700;
const PERIODS = 3;
const LONGEST_MS = 5000;

export class Freshness {
  constructor() {
    this.forget();
  }

  /** Resets: the next picture is the first. */
  forget() {
    this.header = null;
    this._periodMs = 0;
  }

  arrived(header) {
    if (this.header && header.stamp_ns !== this.header.stamp_ns) {
      const periodMs = header.receivedMs - this.header.receivedMs;
      this._periodMs += (periodMs - this._periodMs) * (this._periodMs ? 0.2 : 1);
    }
    if (header.stamp_ns !== this.header?.stamp_ns) this.header = header;
  }

  /** Current age of the shown picture; null without one. */
  get ageMs() {
    return this.header && this.header.age_ms + performance.now() - this.header.receivedMs;
  }

  /** Whether the next picture is overdue: later than 0.7 s and than three of its periods. */
  get overdue() {
    if (!this.header) return true;
    const limitMs = Math.min(Math.max(OLDEST_MS, PERIODS * this._periodMs), LONGEST_MS);
    return performance.now() - this.header.receivedMs > limitMs;
  }
}
