/**
 * The messages of one chat that this page has loaded, and the branch of them that it shows. Reads a
 * part of a branch at a time. Does not use the DOM.
 *
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../types.js').Session} Session
 * @typedef {{items: Message[], before: string|null, after: string|null}} Part
 */
import { isMissing } from '../net/api.js';
import { isLive, MessageTree } from './tree.js';

/** Messages of one request. */
const PART = 30;
/** Requests for what was asked elsewhere since; the rest is read when the user scrolls up. */
const MOST_PARTS = 4;

export class History {
  tree = new MessageTree();
  /** @type {string|null} the last message that is shown */ leaf = null;
  /** The branch has messages below `leaf` that are not loaded. */
  goesOn = false;
  /**
   * Where the server appends a question that names no parent, as far as this page knows.
   * @type {string|null}
   */
  end = null;
  /** @type {Message|null} the answer that is being written into this page */ writing = null;
  sessionId;
  #api;

  /** @param {Pick<import('../net/api.js').Api, 'get'>} api @param {string|null} [sessionId] */
  constructor(api, sessionId = null) {
    this.#api = api;
    this.sessionId = sessionId;
  }

  /** @returns {Message[]} what is shown, from the first loaded message to the leaf */
  path() {
    return this.tree.path(this.leaf);
  }

  /** @returns {boolean} whether there are messages above those that are shown */
  get beginsBefore() {
    const first = this.path()[0];
    return Boolean(first?.parent_id) && !this.tree.get(first.parent_id);
  }

  /**
   * Load the end of the current branch, or the part around a message if that still exists.
   * @param {string|null} [message] @returns {Promise<Session>}
   */
  async open(message) {
    const [session, around] = await Promise.all([
      this.#api.get(`/api/sessions/${this.sessionId}`),
      message ? this.readAround(message).catch(nullIfMissing) : null,
      message ? null : this.readEnd(),
    ]);
    if (around) this.show(around);
    else if (message) await this.readEnd();
    this.end = session.leaf_id ?? null;
    return session;
  }

  /** Load earlier messages of the shown branch. */
  async readEarlier() {
    if (this.beginsBefore) {
      this.#merge((await this.#read(`before=${this.path()[0].id}`)).items);
    }
  }

  /** Load later messages of the shown branch. */
  async readLater() {
    const { leaf } = this;
    if (!this.goesOn || !leaf) return;
    const part = await this.#read(`leaf=current&after=${leaf}`);
    if (leaf !== this.leaf) return;
    if (part.items.length) this.show(part);
    else this.goesOn = false;
  }

  /**
   * Read the part of a branch around a message, for `show`.
   * @param {string} id @returns {Promise<Part>}
   */
  readAround(id) {
    return this.#read(`around=${id}`);
  }

  /** Load the end of the current branch again. */
  async readEnd() {
    this.show(await this.#read('leaf=current'));
    this.end = this.leaf;
  }

  /** @param {Part} part */
  show({ items, after }) {
    this.#merge(items);
    this.goTo({ leaf: items.at(-1)?.id ?? null, goesOn: after !== null });
  }

  get place() {
    return { leaf: this.leaf, goesOn: this.goesOn };
  }

  /** @param {{leaf: string|null, goesOn: boolean}} place */
  goTo({ leaf, goesOn }) {
    this.leaf = leaf;
    this.goesOn = goesOn;
  }

  /**
   * Load what was asked in this chat in another tab or on another device.
   * @param {() => boolean} wanted whether it may still be shown when it has arrived
   * @returns {Promise<boolean>} whether there was anything new
   */
  async refresh(wanted) {
    if (!this.sessionId || !this.leaf || this.goesOn) return false;
    const options = { background: true };
    const session = await this.#api.get(`/api/sessions/${this.sessionId}`, options);
    const known = !session.leaf_id || this.tree.get(session.leaf_id);
    if (known && !this.path().some(isLive)) return false;
    const leaf = known ? this.tree.stored(this.leaf) : session.leaf_id;
    if (!leaf) return false;
    const messages = await this.#readUntilKnown(leaf, options);
    if (!wanted()) return false;
    this.#merge(messages);
    const last = messages.at(-1);
    if (!known && last) {
      this.leaf = this.tree.moveUnsent(this.leaf, last.id);
      this.end = last.id;
    }
    return true;
  }

  /**
   * Return the last message of the branch through one, which may not be loaded.
   * @param {string} id @returns {Promise<string>}
   */
  async endOfBranch(id) {
    return (await this.#read(`leaf=${id}&limit=1`)).items[0].id;
  }

  /**
   * Remove a message that was deleted, with all below it.
   * @param {Message} message
   * @returns {string|null} the newest alternative, else the message above it
   */
  remove(message) {
    const beside = this.tree.siblings(message).filter((id) => id !== message.id);
    this.tree.removeBranch(message);
    if (this.end && !this.tree.get(this.end)) this.end = null;
    return beside.at(-1) ?? message.parent_id;
  }

  /** @param {Message[]} messages */
  #merge(messages) {
    merge(this.tree, messages, this.writing);
  }

  /**
   * @param {string} leaf @param {{background: boolean}} options
   * @returns {Promise<Message[]>} the end of a branch, up to a message that is loaded already
   */
  async #readUntilKnown(leaf, options) {
    let { items, before } = await this.#read(`leaf=${leaf}`, options);
    for (let parts = 1; before && parts < MOST_PARTS; parts += 1) {
      if (items.some(({ id }) => this.tree.get(id))) break;
      const part = await this.#read(`before=${before}`, options);
      items = [...part.items, ...items];
      before = part.before;
    }
    return items;
  }

  /**
   * @param {string} which @param {{background?: boolean}} [options] @returns {Promise<Part>}
   */
  #read(which, options) {
    const limit = which.includes('limit=') ? '' : `&limit=${PART}`;
    return this.#api.get(`/api/sessions/${this.sessionId}/messages?${which}${limit}`, options);
  }
}

/** @param {unknown} error @returns {null} */
function nullIfMissing(error) {
  if (isMissing(error)) return null;
  throw error;
}

/**
 * Add messages that are new or have ended. Unchanged ones keep their object, and so their element.
 * @param {MessageTree} tree @param {Message[]} messages
 * @param {Message|null} [writing] the answer whose stream is being read
 */
export function merge(tree, messages, writing) {
  for (const message of messages) {
    const known = tree.get(message.id);
    const unchanged =
      known &&
      (known === writing ||
        (known.status === message.status && known.content.length === message.content.length));
    if (!unchanged) tree.add(message);
    else if (message.siblings) tree.addSiblings(known, message.siblings);
  }
}
