/**
 * Whether something on the way holds an answer back and hands it over in one piece: a proxy that
 * buffers. The server says how long it wrote; the page knows when the events came. Only what cannot
 * be anything else counts. Pure.
 */

/** What is written faster than this may well come in one piece. */
const WRITTEN_MS = 1_500;
const PIECES = 8;
/** All of it within so little, from its first event to its last, was not written just then. */
const BURST_MS = 250;
/**
 * A network may swallow a second or two; so long a silence, that ends with the answer, it does not
 * make.
 */
const CERTAIN_MS = 4_000;

/** @typedef {'buffered'|'suspicious'|'flowing'|'unknown'} Verdict */

export class DeliveryTiming {
  #asked;
  #first = 0;
  #last = 0;
  #pieces = 0;

  /** @param {number} now ms, when the question was sent */
  constructor(now) {
    this.#asked = now;
  }

  /** An event has come. @param {string} type @param {number} now ms */
  note(type, now) {
    this.#first ||= now;
    this.#last = now;
    if (type === 'chunk' || type === 'reasoning') this.#pieces += 1;
  }

  /**
   * Judge by what the server says of its own time; nothing is said of an answer that was written
   * before it was asked for.
   * @param {Record<string, number>|null|undefined} timings @returns {Verdict}
   */
  verdict(timings) {
    const { total_ms: total, ttft_ms: begun } = timings ?? {};
    if (!total || begun === undefined || total - begun < WRITTEN_MS || this.#pieces < PIECES) {
      return 'unknown';
    }
    if (this.#last - this.#asked < total * 0.9) return 'unknown';
    if (this.#last - this.#first > BURST_MS) return 'flowing';
    return total >= CERTAIN_MS ? 'buffered' : 'suspicious';
  }
}
