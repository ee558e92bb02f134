/** One question of the thread. */
import { clone, find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { showBranch } from './branch.js';
import { showMoment } from './facts.js';
import { showPictures } from './question-pictures.js';

/** @typedef {import('../types.js').Message} Message */

export class QuestionView {
  root = clone('question');
  #message;

  /** @param {Message} message */
  constructor(message) {
    this.#message = message;
  }

  get message() {
    return this.#message;
  }

  /** @param {string[]} siblings ids @param {boolean} answered whether an answer is shown below */
  update(siblings, answered) {
    const { id, status, content, error, images, created_at: time } = this.#message;
    this.root.dataset.message = id;
    this.root.dataset.status = status;
    const text = find(this.root, '[data-text]');
    if (text.textContent !== content) text.textContent = content;
    showPictures(this.root, images ?? []);
    showMoment(this.root, time);
    const unsent = status === 'unsent';
    find(this.root, '[data-unsent]').hidden = !unsent;
    if (unsent) {
      showText(
        find(this.root, '[data-unsent-text]'),
        [t('thread.unsent'), error?.message].filter(Boolean).join(' · '),
      );
    }
    find(this.root, '[data-edit]').hidden = status !== 'complete';
    find(this.root, '[data-ask-again]').hidden = status !== 'complete' || answered;
    showBranch(this.root, this.#message, siblings);
  }

  /** Open the text for editing; sending it makes a branch. */
  edit() {
    const field = findAs(this.root, '[data-edit-field]', HTMLTextAreaElement);
    field.value = this.#message.content;
    this.#editing(true);
    field.focus();
  }

  endEdit() {
    this.#editing(false);
    find(this.root, '[data-edit]').focus();
  }

  /** @param {boolean} on */
  #editing(on) {
    find(this.root, '[data-edit-form]').hidden = !on;
    find(this.root, '[data-text]').hidden = on;
    find(this.root, '[data-actions]').hidden = on;
  }
}
