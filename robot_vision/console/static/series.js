// The last minute of the service, second by second, by the server's clock.

export const WINDOW_S = 60;

export class Series {
  constructor() {
    this.seconds = [];
    this.actions = [];
    this._nowS = 0;
    this._atMs = 0;
  }

  /** The server's clock, as reported by `state`. */
  clock(nowS) {
    [this._nowS, this._atMs] = [nowS, performance.now()];
  }

  get nowS() {
    return this._nowS + (performance.now() - this._atMs) / 1000;
  }

  add({ reset, seconds, actions }) {
    if (reset) [this.seconds, this.actions] = [[], []];
    this.seconds.push(...seconds);
    this.actions.push(...actions);
    const newestS = Math.max(this.seconds.at(-1)?.at_s ?? 0, this.actions.at(-1)?.at_s ?? 0);
    const firstS = newestS - WINDOW_S - 2;
    this.seconds = this.seconds.filter(({ at_s: atS }) => atS >= firstS);
    this.actions = this.actions.filter(({ at_s: atS }) => atS >= firstS);
  }
}
