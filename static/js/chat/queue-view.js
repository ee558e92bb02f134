/** The list of waiting questions above the question field. */
import { clone, fill, find, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';

/** @typedef {import('../core/storage.js').Queued} Queued */
const NAMED_CHARACTERS = 60;

export class QueueView {
  #root = find(document, '[data-queue]');
  #list = find(this.#root, '[data-queue-list]');
  #actions;

  /**
   * @param {{edit: (id: string) => void, remove: (id: string) => void, send: () => void}} actions
   */
  constructor(actions) {
    this.#actions = actions;
    find(this.#root, '[data-queue-send]').addEventListener('click', () => actions.send());
  }

  /** @param {Queued[]} questions @param {import('./queue.js').Reason} reason */
  show(questions, { kind, text }) {
    this.#root.hidden = !questions.length;
    this.#root.dataset.queue = kind;
    const state = find(this.#root, '[data-queue-state]');
    const words = text || t(`queue.${kind}`);
    if (state.textContent !== words) state.textContent = words;
    find(this.#root, '[data-queue-send]').hidden = kind === 'answer';
    this.#list.replaceChildren(...questions.map((question) => this.#row(question)));
  }

  /** @param {Queued} question */
  #row({ id, text, images }) {
    const row = fill(clone('queued'), { text });
    row.dataset.queued = id;
    showText(
      find(row, '[data-queued-pictures]'),
      images.length ? count('queue.pictures', images.length) : '',
    );
    const named = { text: text.slice(0, NAMED_CHARACTERS) };
    const [edit, remove] = [find(row, '[data-queued-edit]'), find(row, '[data-queued-remove]')];
    edit.ariaLabel = t('queue.edit', named);
    remove.ariaLabel = t('queue.remove', named);
    edit.addEventListener('click', () => this.#actions.edit(id));
    remove.addEventListener('click', () => this.#actions.remove(id));
    return row;
  }
}
