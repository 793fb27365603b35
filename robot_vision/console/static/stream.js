// The WebSocket to the service. It reconnects by itself and detects a silent connection.

const QUIET_MS = 1500; // `state` comes several times a second, so this connection is dead
const GIVE_UP_MS = 4000;
const DELAYS_MS = [250, 500, 1000, 2000];

const address = () => {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/api/stream`;
};

/**
 * `listeners` is {topic: function}. Pictures are given as (bitmap, header) and belong to the
 * listener; everything else as (data). One picture per topic is decoded at a time; the newest
 * one waits and older ones are dropped.
 */
export class Stream {
  constructor(listeners) {
    this._listeners = listeners;
    this._topics = {};
    this._decoding = new Map();
    this._failures = 0;
    this._heardMs = 0;
    this._retryAtMs = 0;
    this._refused = "";
    this._open();
    setInterval(() => this._watch(), 500);
  }

  /** The subscription: {topic: maximum rate in Hz}. */
  want(topics) {
    const [before, after] = [JSON.stringify(this._topics), JSON.stringify(topics)];
    this._topics = topics;
    if (before !== after) this._subscribe();
  }

  /** `{connected, quietMs, retryInMs, refused}`. */
  get status() {
    const nowMs = performance.now();
    const quietMs = this._heardMs ? nowMs - this._heardMs : 0;
    const open = this._socket.readyState === WebSocket.OPEN;
    return {
      connected: open && this._heardMs > 0 && quietMs < QUIET_MS,
      open,
      quietMs,
      retryInMs: open ? 0 : Math.max(this._retryAtMs - nowMs, 0),
      refused: this._refused,
    };
  }

  _open() {
    this._socket = new WebSocket(address());
    this._socket.binaryType = "arraybuffer";
    this._openedMs = performance.now();
    this._socket.addEventListener("open", () => {
      this._openedMs = performance.now();
      this._refused = "";
      this._subscribe();
    });
    this._socket.addEventListener("message", (event) => this._receive(event.data));
    this._socket.addEventListener("close", (event) => this._closed(event));
  }

  _subscribe() {
    if (this._socket.readyState === WebSocket.OPEN) {
      this._socket.send(JSON.stringify({ topics: this._topics }));
    }
  }

  _receive(data) {
    this._heardMs = performance.now();
    this._failures = 0;
    if (typeof data === "string") {
      const message = JSON.parse(data);
      this._listeners[message.topic]?.(message.data);
    } else this._picture(data);
  }

  _picture(data) {
    const headerBytes = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, headerBytes)));
    header.receivedMs = performance.now();
    const image = new Blob([new Uint8Array(data, 4 + headerBytes)], {
      type: `image/${header.format}`,
    });
    if (this._decoding.has(header.topic)) this._decoding.set(header.topic, { header, image });
    else this._decode(header, image);
  }

  async _decode(header, image) {
    const topic = header.topic;
    this._decoding.set(topic, null);
    try {
      const bitmap = await createImageBitmap(image);
      if (this._listeners[topic]) this._listeners[topic](bitmap, header);
      else bitmap.close();
    } finally {
      const waiting = this._decoding.get(topic);
      this._decoding.delete(topic);
      if (waiting) this._decode(waiting.header, waiting.image);
    }
  }

  _closed(event) {
    if (event.target !== this._socket) return;
    this._refused = event.reason;
    const delayMs = DELAYS_MS[Math.min(this._failures, DELAYS_MS.length - 1)];
    this._failures += 1;
    this._retryAtMs = performance.now() + delayMs;
    setTimeout(() => this._open(), delayMs);
  }

  // The browser does not close a silently dead connection in useful time.
  _watch() {
    if (this._socket.readyState > WebSocket.OPEN) return;
    const quietMs = performance.now() - Math.max(this._openedMs, this._heardMs);
    if (quietMs < GIVE_UP_MS) return;
    const dead = this._socket;
    dead.close();
    this._socket = { readyState: WebSocket.CLOSED };
    this._closed({ target: this._socket, reason: "" });
  }
}
