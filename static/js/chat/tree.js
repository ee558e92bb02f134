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
  /**
   * The ids of the messages below each one, oldest first, and of the roots below ''. Those of other
   * branches need not be loaded.
   * @type {Map<string, string[]>}
   */
  #below = new Map();

  /** @param {Message[]} [messages] oldest first */
  constructor(messages = []) {
    for (const message of messages) this.add(message);
  }

  /** @param {Message} message */
  add(message) {
    this.#messages.set(message.id, message);
    this.addSiblings(message, message.siblings ?? []);
  }

  /**
   * Merge the ids of a message and its alternatives; those that only this page knows come last.
   * @param {Message} message @param {string[]} ids
   */
  addSiblings(message, ids) {
    const known = this.#children(message.parent_id);
    const merged = new Set(ids.length ? ids : known);
    for (const id of known) if (this.#messages.has(id)) merged.add(id);
    this.#below.set(message.parent_id ?? '', [...merged.add(message.id)]);
  }

  /** @param {Message} message */
  remove(message) {
    this.#messages.delete(message.id);
    this.#leave(message);
  }

  /** Remove a message and all below it. @param {Message} message */
  removeBranch(message) {
    for (const id of [...this.#children(message.id)]) {
      const child = this.get(id);
      if (child) this.removeBranch(child);
    }
    this.#below.delete(message.id);
    this.remove(message);
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
    const stored = this.get(id);
    this.#messages.delete(message.id);
    if (stored && stored.parent_id !== message.parent_id) {
      this.#leave(message); // it was sent before, and has its place already
      message.parent_id = stored.parent_id;
    }
    const siblings = this.#children(message.parent_id);
    const renamed = siblings.map((sibling) => (sibling === message.id ? id : sibling));
    this.#below.set(message.parent_id ?? '', [...new Set(renamed)]);
    const below = this.#children(message.id);
    for (const child of below) {
      const loaded = this.get(child);
      if (loaded) loaded.parent_id = id;
    }
    this.#below.delete(message.id);
    if (below.length) this.#below.set(id, [...new Set([...this.#children(id), ...below])]);
    message.id = id;
    this.#messages.set(id, message);
  }

  /** @param {string|null} leafId @returns {Message[]} from the first loaded message to the leaf */
  path(leafId) {
    const path = [];
    const seen = new Set();
    for (let at = this.get(leafId); at && !seen.has(at.id); at = this.get(at.parent_id)) {
      path.push(at);
      seen.add(at.id);
    }
    return path.reverse();
  }

  /**
   * Move an unsent question below another message.
   * @param {Message} message
   * @param {string|null} parent
   */
  moveBelow(message, parent) {
    for (const id of [...this.#children(message.id)]) {
      const child = this.get(id);
      if (child) this.#move(child, message.parent_id);
    }
    this.#move(message, parent);
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
   * @param {Message} message
   * @returns {string[]} the ids of the message and its alternatives worth showing, oldest first
   */
  siblings(message) {
    return this.#children(message.parent_id).filter((id) => {
      const other = this.get(id);
      return id === message.id || !other || !isEmptyAnswer(other);
    });
  }

  /**
   * @param {Message} message
   * @param {number} step
   * @returns {string|null} the id of the alternative at an offset of `step`
   */
  beside(message, step) {
    const siblings = this.siblings(message);
    return siblings[siblings.indexOf(message.id) + step] ?? null;
  }

  /** @param {string|null} id @returns {Message|null} the newest loaded leaf below */
  leafBelow(id) {
    const children = this.#children(id)
      .map((child) => this.get(child))
      .filter((child) => child !== null);
    const newest = children.findLast((message) => !isEmptyAnswer(message)) ?? children.at(-1);
    return newest ? this.leafBelow(newest.id) : this.get(id);
  }

  /** @param {string|null} parent @returns {string[]} */
  #children(parent) {
    return this.#below.get(parent ?? '') ?? [];
  }

  /** @param {Message} message @param {string|null} parent */
  #move(message, parent) {
    this.#leave(message);
    message.parent_id = parent;
    this.addSiblings(message, []);
  }

  /** @param {Message} message */
  #leave(message) {
    const rest = this.#children(message.parent_id).filter((id) => id !== message.id);
    this.#below.set(message.parent_id ?? '', rest);
  }
}
