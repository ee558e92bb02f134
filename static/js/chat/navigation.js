/**
 * Which part of a chat is shown: its end, earlier and later messages, alternatives, and what is
 * left after a deletion. Asks for no answers. Does not use the DOM.
 *
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../types.js').Problem} Problem
 * @typedef {import('../types.js').Session} Session
 * @typedef {Pick<import('../net/api.js').Api, 'get'|'patch'|'delete'>} Api
 */
import { History } from './history.js';
import { isLocal } from './tree.js';

export class Navigation {
  history;
  #deps;
  /** The part that was asked for last: one that arrives after it was replaced is not shown. */
  #wanted = {};

  /**
   * @param {{api: Api, view: import('../types.js').View, problem: (problem: Problem) => void,
   *   isLive: () => boolean, attach: () => void}} deps isLive: an answer is being written into this
   *   page; attach: read an answer of the shown branch that is running
   */
  constructor(deps) {
    this.#deps = deps;
    this.history = new History(deps.api);
  }

  /**
   * @param {string|null} sessionId @param {string|null} [message] around which it is opened
   * @returns {Promise<Session|null>}
   */
  async open(sessionId, message) {
    const history = new History(this.#deps.api, sessionId);
    this.history = history;
    if (!sessionId) {
      this.#show();
      return null;
    }
    const session = await history.open(message);
    if (history === this.history) this.#show();
    return session;
  }

  /** @returns {Promise<boolean>} whether there was anything new from other tabs and devices */
  async refresh() {
    const { history } = this;
    if (this.#deps.isLive()) return false;
    const found = await history.refresh(() => !this.#deps.isLive() && history === this.history);
    if (found) this.#show();
    return found;
  }

  /** Whether the shown branch has messages that are not loaded, above and below. */
  get unloaded() {
    return { earlier: this.history.beginsBefore, later: this.history.goesOn };
  }

  /** The loaded questions of the shown branch, oldest first. @returns {string[]} */
  get questions() {
    const asked = this.history.path().filter((message) => message.role === 'user');
    return asked.map((message) => message.content);
  }

  /** Load more messages of the shown branch. @param {'earlier'|'later'} where */
  async readMore(where) {
    const { history } = this;
    await (where === 'earlier' ? history.readEarlier() : history.readLater());
    if (history !== this.history) return;
    this.#deps.view.grow(history.path(), history.tree);
    this.#attach();
  }

  /** Show a message, with the part of its branch around it. @param {string} id */
  async showMessage(id) {
    if (!this.history.path().some((message) => message.id === id)) await this.#around(id);
  }

  /** Show the end of the current branch. */
  async showEnd() {
    const { history } = this;
    if (!history.goesOn) return;
    await history.readEnd();
    if (history === this.history) this.#show();
  }

  /** Show the alternative at an offset of `step`. @param {Message} message @param {number} step */
  async switchBranch(message, step) {
    const { history } = this;
    const id = history.tree.beside(message, step);
    if (!id || this.#deps.isLive()) return;
    try {
      if (!(await this.#around(id))) return;
      const leaf = history.goesOn ? await history.endOfBranch(id) : history.leaf;
      await this.#deps.api.patch(`/api/sessions/${history.sessionId}`, { leaf_id: leaf });
    } catch (error) {
      this.#deps.problem(/** @type {Problem} */ (error));
    }
  }

  /**
   * Delete a message with all messages below it, and show the nearest branch that is left.
   * @param {Message} message
   */
  async remove(message) {
    const { history } = this;
    if (!isLocal(message)) await this.#deps.api.delete(`/api/messages/${message.id}`);
    if (history !== this.history) return;
    const next = history.remove(message);
    const loaded = history.tree.get(next) ? next : message.parent_id;
    history.goTo({ leaf: history.tree.leafBelow(loaded)?.id ?? null, goesOn: false });
    this.#show();
    if (next && (next !== message.parent_id || next !== loaded)) await this.#around(next);
  }

  /** Do not show the part that is being read. */
  cancel() {
    this.#wanted = {};
  }

  /**
   * Show the part of a branch around a message.
   * @param {string} id @returns {Promise<boolean>} whether it was read
   */
  async #around(id) {
    const { history } = this;
    const wanted = {};
    this.#wanted = wanted;
    const known = history.tree.get(id);
    if (known && isLocal(known)) {
      history.goTo({ leaf: history.tree.leafBelow(id)?.id ?? id, goesOn: false });
      this.#show();
      return false;
    }
    const part = await history.readAround(id);
    if (history !== this.history || wanted !== this.#wanted) return false;
    history.show(part);
    this.#show();
    return true;
  }

  #show() {
    this.#deps.view.show(this.history.path(), this.history.tree);
    this.#attach();
  }

  #attach() {
    if (!this.#deps.isLive()) this.#deps.attach();
  }
}
