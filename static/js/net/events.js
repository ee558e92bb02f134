/**
 * Parse one block of the stream into an event (docs/api.md). Pure.
 *
 * @typedef {import('../types.js').Source} Source
 * @typedef {{type: 'context', data: string, session_id: string, message_id: string,
 *   question_id: string}} ContextEvent
 * @typedef {{type: 'chunk'|'reasoning'|'status', data: string}} TextEvent
 * @typedef {{type: 'sources', data: Source[]}} SourcesEvent
 * @typedef {{type: 'error', data: string, code?: string, retryable?: boolean,
 *   retry_after?: number, upstream?: import('../types.js').SupplierAnswer}} ErrorEvent
 * @typedef {{type: 'done', data: {finish_reason?: string, citations?: number[],
 *   timings?: Record<string, number>, usage?: import('../types.js').Usage,
 *   unread?: import('../types.js').Unread[]}}} DoneEvent
 * @typedef {{type: 'reset'|'ping'|'other', data: unknown}} PlainEvent
 * @typedef {ContextEvent|TextEvent|SourcesEvent|ErrorEvent|DoneEvent|PlainEvent} WireEvent
 */

/** A block that is not a valid event. */
export class UnreadableEvent extends Error {}

/** @type {Record<string, (data: any) => boolean>} */
const SHAPES = {
  context: isText,
  chunk: isText,
  error: isText,
  reasoning: isText,
  status: isText,
  sources: Array.isArray,
  done: (data) => typeof data === 'object' && data !== null,
  reset: () => true,
  ping: () => true,
};

/** @param {unknown} data */
function isText(data) {
  return typeof data === 'string';
}

/**
 * Parse one block's data. An unknown type, from a newer server, becomes `other`.
 * @param {string} text @returns {WireEvent}
 */
export function readEvent(text) {
  let event;
  try {
    event = JSON.parse(text);
  } catch (cause) {
    throw new UnreadableEvent('not JSON', { cause });
  }
  if (typeof event?.type !== 'string') throw new UnreadableEvent('no type');
  const fits = Object.hasOwn(SHAPES, event.type) ? SHAPES[event.type] : null;
  if (!fits) return { type: 'other', data: event };
  if (!fits(event.data)) throw new UnreadableEvent(`${event.type} with data of another kind`);
  return event;
}
