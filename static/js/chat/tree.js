/**
 * The messages of one chat as a tree: an answer's parent is its question, a question's parent the
 * answer before it. The page shows one path, from the root to a leaf. Pure.
 *
 * @typedef {import('../types.js').Message} Message
 */
const ENDED = ['stopped', 'failed', 'interrupted'];

/**
 * @param {Message} message
 * @returns {boolean} an answer that ended without text: kept, but not shown
 */
export function isEmptyAnswer(message) {
  return (
    message.role === 'assistant' &&
    !message.content &&
    !message.reasoning &&
    !message.error &&
    ENDED.includes(message.status)
  );
}

/** @param {Message} message @returns {boolean} running, as far as this page knows */
export const isLive = (message) =>
  message.role === 'assistant' && (message.status === 'queued' || message.status === 'running');

/** @param {Message} message @returns {boolean} known to this page only */
export const isLocal = (message) =>
  message.status === 'sending' || message.status === 'unsent' || message.id.startsWith('answer-');

/**
 * @param {Message['role']} role
 * @param {string} id
 * @param {string|null} parent
 * @param {string} content
 * @param {Message['status']} status
 * @returns {Message} a message that the server does not know yet
 */
export function localMessage(role, id, parent, content, status) {
  return {
    id,
    role,
    parent_id: parent,
    session_id: null,
    content,
    status,
    created_at: new Date().toISOString(),
  };
}

/** @param {Message} question @returns {{question: string, images?: string[]}} as it is sent */
export const asked = ({ content, images }) => ({
  question: content,
  ...(images?.length && { images: images.map((image) => image.id) }),
});

export class MessageTree {
  /** @type {Map<string, Message>} */ #messages = new Map();

  /** @param {Message[]} [messages] oldest first */
  constructor(messages = []) {
    for (const message of messages) this.add(message);
  }

  /** @param {Message} message */
  add(message) {
    this.#messages.set(message.id, message);
  }

  /** @param {Message} message */
  remove(message) {
    this.#messages.delete(message.id);
  }

  /** @param {string|null} id @returns {Message|null} */
  get(id) {
    return (id && this.#messages.get(id)) || null;
  }

  /**
   * Give a message its server id.
   * @param {Message} message
   * @param {string} id
   */
  rename(message, id) {
    if (message.id === id) return;
    this.#messages.delete(message.id);
    for (const child of this.#messages.values()) {
      if (child.parent_id === message.id) child.parent_id = id;
    }
    message.id = id;
    this.#messages.set(id, message);
  }

  /** @param {string|null} leafId @returns {Message[]} from the root to the leaf */
  path(leafId) {
    const path = [];
    const seen = new Set();
    for (let at = this.get(leafId); at && !seen.has(at.id); at = this.get(at.parent_id)) {
      path.unshift(at);
      seen.add(at.id);
    }
    return path;
  }

  /**
   * Move an unsent question below another message.
   * @param {Message} message
   * @param {string|null} parent
   */
  moveBelow(message, parent) {
    for (const child of this.#messages.values()) {
      if (child.parent_id === message.id) child.parent_id = message.parent_id;
    }
    message.parent_id = parent;
  }

  /**
   * Move the unsent part of the path to `leaf` below another leaf.
   * @param {string|null} leaf
   * @param {string} other
   * @returns {string} the new end of the path
   */
  moveUnsent(leaf, other) {
    const unsent = this.path(leaf).find((message) => message.status === 'unsent');
    if (!unsent) return other;
    this.moveBelow(unsent, other);
    return unsent.id;
  }

  /**
   * @param {string|null} id
   * @returns {string|null} the nearest message at or above it that is stored on the server
   */
  stored(id) {
    const message = this.get(id);
    return message && isLocal(message) ? this.stored(message.parent_id) : id;
  }

  /**
   * @returns {boolean} whether an answer in any branch is running, as far as this page knows
   */
  hasLive() {
    return [...this.#messages.values()].some(isLive);
  }

  /** @returns {string|null} the newest message that is stored on the server */
  newest() {
    return [...this.#messages.values()].findLast((message) => !isLocal(message))?.id ?? null;
  }

  /**
   * @param {Message} message
   * @returns {Message[]} the message and its alternatives worth showing, oldest first
   */
  siblings(message) {
    return [...this.#messages.values()].filter(
      (other) =>
        other.parent_id === message.parent_id &&
        other.role === message.role &&
        (other === message || !isEmptyAnswer(other)),
    );
  }

  /**
   * @param {Message} message
   * @param {number} step
   * @returns {Message|null} the leaf of the alternative at an offset of `step`
   */
  leafBeside(message, step) {
    const siblings = this.siblings(message);
    const other = siblings[siblings.indexOf(message) + step];
    return other ? (this.leafBelow(other.id) ?? other) : null;
  }

  /** @param {string|null} id @returns {Message|null} the newest leaf below */
  leafBelow(id) {
    const children = [...this.#messages.values()].filter((message) => message.parent_id === id);
    const newest = children.findLast((message) => !isEmptyAnswer(message)) ?? children.at(-1);
    return newest ? this.leafBelow(newest.id) : this.get(id);
  }
}
