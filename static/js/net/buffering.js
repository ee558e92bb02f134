/**
 * Detects a proxy that buffers answers: compares the time the server took to write an answer with
 * the arrival times of its events. Only clear cases count. Pure.
 */

/** Faster answers may arrive in one piece without a proxy. */
const WRITTEN_MS = 1_500;
const PIECES = 8;
/** Events that all arrive within this time were not sent as they were written. */
const BURST_MS = 250;
/**
 * A network may stall for a second or two, but not this long.
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

  /** Record an event. @param {string} type @param {number} now ms */
  note(type, now) {
    this.#first ||= now;
    this.#last = now;
    if (type === 'chunk' || type === 'reasoning') this.#pieces += 1;
  }

  /**
   * Judge by the server's timings. An answer written before it was requested is not judged.
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
