/** Model servers found on this machine, each with a button that connects it. */
import { clone, fill, find } from '../core/dom.js';
import { count } from '../core/i18n.js';
import { monogram } from '../ui/monogram.js';

/** @typedef {import('../types.js').LocalServer} LocalServer */

export class FoundServers {
  #section;
  #list;
  #api;
  #use;
  #allowed = true;

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, use: (server: LocalServer) => void}} deps
   */
  constructor(root, { api, use }) {
    this.#section = find(root, '[data-found]');
    this.#list = find(root, '[data-found-list]');
    this.#api = api;
    this.#use = use;
  }

  /** Search again. A search that fails shows nothing. */
  async load() {
    this.#allowed = true;
    const { items } = await this.#api
      .get('/api/suppliers/local')
      .catch(() => ({ items: /** @type {LocalServer[]} */ ([]) }));
    this.#section.hidden = !items.length || !this.#allowed;
    this.#list.replaceChildren(
      ...items.map((/** @type {LocalServer} */ server) => this.#row(server)),
    );
  }

  /** Hide the list, and do not show the result of a search that is under way. */
  hide() {
    this.#allowed = false;
    this.#section.hidden = true;
  }

  /** @param {LocalServer} server */
  #row(server) {
    const { label, models, base_url: url } = server;
    const note = models.length ? count('connect.found.models', models.length) : url;
    const row = fill(clone('found'), { label, note });
    const button = find(row, '[data-found-server]');
    button.prepend(monogram(label));
    button.dataset.foundServer = server.preset;
    button.addEventListener('click', () => this.#use(server));
    return row;
  }
}
