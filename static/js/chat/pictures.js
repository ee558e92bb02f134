/**
 * The pictures of the next question: sent as soon as they are added, shown as thumbnails in the
 * composer. Each chat has its own until the question goes out.
 *
 * @typedef {import('../types.js').Image} Image
 * @typedef {{file: File|null, name: string, preview: string, image: Image|null, percent: number,
 *   problem: string, sending: AbortController|null, root: HTMLElement}} Item `file` null: a stored
 *   picture that came back with its question
 */
import { fromRoot } from '../core/address.js';
import { clone, find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { refusedForm, sendForm } from '../net/send-form.js';
import { announce } from '../ui/announce.js';
import { toast } from '../ui/toast.js';
import { modelName } from './pickers.js';
import { KINDS, isPicture, shrunk } from './shrink.js';

export const MOST = 10;

export class Pictures {
  #host;
  #list;
  #api;
  #library;
  #changed;
  /** @type {Map<string, Item[]>} */ #chats = new Map();
  #chat = '';

  /**
   * @param {HTMLElement} dock
   * @param {{api: Pick<import('../net/api.js').Api, 'delete'>, changed: () => void,
   *   library: import('./library.js').Library, documents: (files: File[]) => void}} deps documents:
   *   add pictures to the documents instead
   */
  constructor(dock, { api, library, changed, documents }) {
    this.#host = find(dock, '[data-pictures]');
    this.#list = find(this.#host, '[data-pictures-list]');
    this.#api = api;
    this.#library = library;
    this.#changed = changed;
    find(this.#host, '[data-pictures-documents]').addEventListener('click', () => {
      const files = this.#items.map((item) => item.file).filter((file) => file !== null);
      for (const item of [...this.#items]) this.#remove(item);
      documents(files);
    });
    library.choice.subscribe(() => this.#judge());
    library.models.subscribe(() => this.#judge());
  }

  /** Show the pictures of another chat. @param {string|null} sessionId */
  enter(sessionId) {
    this.#chat = sessionId ?? '';
    this.#show();
  }

  get #items() {
    return this.#chats.get(this.#chat) ?? [];
  }

  /** The number of pictures of the next question. */
  get count() {
    return this.#items.length;
  }

  /** Why the question cannot go out now; empty where it can. */
  get held() {
    if (!this.count) return '';
    if (this.#items.some((item) => item.problem)) return t('pictures.failed');
    const blind = this.#blind();
    if (blind) return t('pictures.blind', { model: blind });
    return this.#items.some((item) => !item.image) ? t('pictures.wait') : '';
  }

  /** The pictures that have been sent. @returns {Image[]} */
  get images() {
    return this.#items.map((item) => item.image).filter((image) => image !== null);
  }

  /**
   * Take single pictures for the question; a model that cannot see leaves them to the documents.
   * @template {{file: File, path: string}} T
   * @param {T[]} found
   * @returns {T[]} the other files
   */
  accept(found) {
    const mine = found.filter(({ file, path }) => !path && isPicture(file));
    const blind = this.#blind();
    if (mine.length && blind) toast(t('pictures.to_documents', { model: blind }));
    if (!mine.length || blind) return found;
    this.add(mine.map(({ file }) => file));
    return found.filter((one) => !mine.includes(one));
  }

  /** @param {string[]} kinds @returns {boolean} whether files of these kinds are all accepted */
  accepts(kinds) {
    return kinds.length > 0 && kinds.every((kind) => KINDS.includes(kind)) && !this.#blind();
  }

  /** @param {File[]} files */
  add(files) {
    const room = MOST - this.count;
    if (files.length > room) toast(t('pictures.many', { count: MOST }), { stays: true });
    for (const file of files.slice(0, room)) {
      const item = this.#new(file, file.name, URL.createObjectURL(file), null);
      void this.#send(item, file);
    }
    if (room > 0) announce(t('pictures.added'));
    this.#show();
  }

  /** Forget the pictures: their question has gone out. */
  clear() {
    for (const item of this.#items) URL.revokeObjectURL(item.preview);
    this.#chats.delete(this.#chat);
    this.#show();
  }

  /** Take back the pictures of a refused question. @param {Image[]|null} [images] */
  restore(images) {
    for (const image of images ?? []) {
      this.#new(null, image.name, fromRoot(`/api/images/${image.id}`), image);
    }
    this.#show();
  }

  /**
   * @param {File|null} file @param {string} name @param {string} preview
   * @param {Image|null} image
   */
  #new(file, name, preview, image) {
    const root = clone('picture');
    /** @type {Item} */
    const item = { file, name, preview, image, percent: 0, problem: '', sending: null, root };
    findAs(root, 'img', HTMLImageElement).src = preview;
    find(root, '[data-picture-remove]').addEventListener('click', () => this.#remove(item));
    find(root, '[data-picture-retry]').addEventListener('click', () => {
      if (item.file) void this.#send(item, item.file);
    });
    this.#chats.set(this.#chat, [...this.#items, item]);
    return item;
  }

  /** @param {Item} item @param {File} file */
  async #send(item, file) {
    const sending = new AbortController();
    Object.assign(item, { sending, problem: '', percent: 0 });
    this.#update(item);
    try {
      const form = new FormData();
      form.append('file', await shrunk(file), file.name);
      const progress = (/** @type {number} */ percent) => {
        item.percent = percent;
        this.#update(item);
      };
      const response = await sendForm('/api/images', form, progress, sending.signal);
      if (response.status !== 201) throw refusedForm(response, response.answer?.error);
      item.image = response.answer;
    } catch (error) {
      if (sending.signal.aborted) return;
      item.problem = error instanceof Error ? error.message : String(error);
      announce(item.problem);
    }
    this.#update(item);
    this.#changed();
  }

  /** @param {Item} item */
  #remove(item) {
    const place = this.#items.indexOf(item);
    item.sending?.abort();
    if (item.file) {
      URL.revokeObjectURL(item.preview);
      if (item.image) void this.#api.delete(`/api/images/${item.image.id}`).catch(() => {});
    }
    this.#chats.set(
      this.#chat,
      this.#items.filter((other) => other !== item),
    );
    this.#show();
    const next = this.#items[Math.min(place, this.count - 1)];
    if (next) find(next.root, '[data-picture-remove]').focus();
    else find(document, '[data-input]').focus();
  }

  #show() {
    this.#list.replaceChildren(...this.#items.map((item) => item.root));
    this.#host.hidden = !this.count;
    find(this.#host, '[data-pictures-documents]').hidden = !this.#items.every((one) => one.file);
    for (const item of this.#items) this.#update(item);
    this.#judge();
    this.#changed();
  }

  /** @returns {string} the name of the chosen model if it is known not to see, else empty */
  #blind() {
    const { model } = this.#library.choice.get();
    const offers = this.#library.models.get();
    const offer = offers.find(
      (one) => one.supplier === model?.supplier && one.model === model.model,
    );
    return offer?.vision === false && model ? modelName(this.#library, model) : '';
  }

  /** Say before sending that the chosen model cannot see pictures. */
  #judge() {
    const blind = this.count ? this.#blind() : '';
    const place = find(this.#host, '[data-pictures-blind]');
    showText(place, blind && t('pictures.blind', { model: blind }));
    find(this.#host, '[data-pictures-note]').hidden = Boolean(blind);
  }

  /** @param {Item} item */
  #update(item) {
    const { root, image, problem, percent } = item;
    const name = item.name || t('pictures.unnamed', { n: this.#items.indexOf(item) + 1 });
    root.dataset.picture = problem ? 'failed' : image ? 'ready' : 'sending';
    findAs(root, 'img', HTMLImageElement).alt = name;
    find(root, '[data-picture-remove]').ariaLabel = t('pictures.remove', { name });
    const bar = findAs(root, 'progress', HTMLProgressElement);
    bar.hidden = Boolean(image || problem);
    bar.value = percent;
    bar.ariaLabel = t('pictures.sending', { name });
    find(root, '[data-picture-fault]').hidden = !problem;
    find(root, '[data-picture-problem]').textContent = problem;
    find(root, '[data-picture-retry]').hidden = !problem || !item.file;
  }
}
