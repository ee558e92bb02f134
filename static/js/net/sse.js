/**
 * Decodes bytes into server-sent events by the WHATWG specification: LF, CR and CRLF end lines,
 * also split between two reads; one byte order mark is dropped; comments are ignored; an event is
 * dispatched at its empty line if it has data. Pure: no network, no retrying.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * @typedef {{type: string, data: string, id: string}} SseEvent `id` is the last event id at that
 *   moment
 */
const LINE_END = /\r\n|\n|\r/;

export class SseDecoder {
  #text = new TextDecoder();
  #rest = '';
  #afterCr = false;
  #type = '';
  /** @type {string[]} */
  #data = [];
  #id = '';
  /** @type {number|null} */
  #retry = null;

  /** The last event id, also of blocks without data. */
  get lastId() {
    return this.#id;
  }

  /** The server's reconnection time in ms, if it sent one. */
  get retry() {
    return this.#retry;
  }

  /**
   * Decode the next bytes and return the events they complete.
   * @param {Uint8Array} bytes @returns {SseEvent[]}
   */
  push(bytes) {
    let text = this.#text.decode(bytes, { stream: true });
    if (this.#afterCr && text) {
      if (text.startsWith('\n')) text = text.slice(1);
      this.#afterCr = false;
    }
    if (text.endsWith('\r')) this.#afterCr = true;
    const lines = (this.#rest + text).split(LINE_END);
    this.#rest = lines.pop() ?? '';
    /** @type {SseEvent[]} */
    const events = [];
    for (const line of lines) this.#line(line, events);
    return events;
  }

  /** @param {string} line @param {SseEvent[]} events */
  #line(line, events) {
    if (line === '') return this.#dispatch(events);
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^[0-9]+$/.test(value)) this.#retry = Number(value);
  }

  /** @param {SseEvent[]} events */
  #dispatch(events) {
    if (this.#data.length) {
      events.push({ type: this.#type || 'message', data: this.#data.join('\n'), id: this.#id });
    }
    this.#type = '';
    this.#data = [];
  }
}
