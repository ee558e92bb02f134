/**
 * Shows one path of messages and reports the user's actions. A message keeps its element while it
 * is on the path.
 *
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('./tree.js').MessageTree} MessageTree
 * @typedef {object} Actions
 * @property {(question: Message) => void} resend
 * @property {(message: Message) => void} regenerate
 * @property {(answer: Message) => void} retry
 * @property {(answer: Message) => void} continue
 * @property {(question: Message, text: string) => boolean} edit
 * @property {(message: Message, step: number) => void} branch
 * @property {(message: Message) => void} remove delete a message with all below it
 * @property {import('./feedback.js').Store} feedback
 * @property {() => void} connect
 * @property {(source: import('../types.js').Source) => void} source show a passage in its document
 * @property {(answer: Message) => Promise<import('../types.js').AnswerSearch>} search read how an
 *   answer's passages were chosen
 */
import { delegate, find, findAs, isComposing } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { mountTextControls, textEngine } from './text-controls.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { announceAssertively, announce } from '../ui/announce.js';
import { AnswerView } from './answer.js';
import { mountFeedback } from './feedback.js';
import { QuestionView } from './question.js';
import { mountSources } from './sources.js';
import { isEmptyAnswer, MessageTree as Tree } from './tree.js';
import { mountWhy } from './why.js';

export class Thread {
  #root;
  #grown;
  #engine = textEngine();
  /** @type {Map<Message, QuestionView|AnswerView>} */ #views = new Map();
  /** @type {Set<Message>} questions with an answer below */ #answered = new Set();
  /** @type {MessageTree} */ #tree = new Tree();
  #panel;

  /**
   * @param {HTMLElement} root
   * @param {Actions} actions
   * @param {() => void} grown called when the thread has grown
   */
  constructor(root, actions, grown) {
    this.#root = root;
    this.#grown = grown;
    this.#panel = mountSources(root, (element) => this.#messageOf(element), actions.source);
    mountWhy(root, (element) => this.#messageOf(element), actions);
    mountFeedback(root, (element) => this.#messageOf(element), actions.feedback);
    this.#listen(actions);
  }

  /** @param {Message[]} path @param {MessageTree} tree */
  show(path, tree) {
    if (tree !== this.#tree) this.#panel.close();
    this.#place(path, tree);
    for (const message of this.#views.keys()) this.update(message);
    this.#grown();
  }

  /**
   * Show earlier or later messages of the same path; the others are unchanged.
   * @param {Message[]} path @param {MessageTree} tree
   */
  grow(path, tree) {
    const before = this.#views;
    this.#place(path, tree);
    const last = [...before.keys()].at(-1);
    for (const message of this.#views.keys()) {
      if (!before.has(message) || message === last) this.update(message);
    }
    this.#grown();
  }

  /** @param {string|null} id @returns {HTMLElement|null} the element of a message that is shown */
  element(id) {
    for (const [message, view] of this.#views) if (message.id === id) return view.root;
    return null;
  }

  /** @param {string|null} id @returns {HTMLElement|null} the element of the message below it */
  below(id) {
    for (const [message, view] of this.#views) if (message.parent_id === id) return view.root;
    return null;
  }

  /**
   * Keep the elements of messages that stay on the path.
   * @param {Message[]} path @param {MessageTree} tree
   */
  #place(path, tree) {
    this.#tree = tree;
    const shown = path.filter((message) => !isEmptyAnswer(message));
    /** @type {Map<Message, QuestionView|AnswerView>} */
    const views = new Map();
    for (const message of shown) {
      views.set(message, this.#views.get(message) ?? this.#create(message));
    }
    for (const [message, view] of this.#views) if (!views.has(message)) view.root.remove();
    this.#views = views;
    this.#answered = new Set(
      shown.filter((_, place) => shown[place + 1]?.role === 'assistant'),
    );
    [...views.values()].forEach((view, place) => {
      if (this.#root.children[place] !== view.root) {
        this.#root.insertBefore(view.root, this.#root.children[place] ?? null);
      }
    });
  }

  /** @param {Message} message */
  update(message) {
    const view = this.#views.get(message);
    if (view instanceof QuestionView) {
      view.update(this.#tree.siblings(message), this.#answered.has(message));
    } else view?.update(this.#tree.siblings(message));
  }

  /** @param {Message} message @param {import('../net/events.js').WireEvent} event */
  stream(message, event) {
    this.#answer(message)?.stream(event);
    if (event.type === 'context') announce(t('say.began'));
  }

  /** @param {Message} message @param {import('../net/run.js').Gap} gap */
  gap(message, gap) {
    this.#answer(message)?.gap(gap);
    if (gap === 'long') announceAssertively(t('answer.lost'));
  }

  /**
   * The user has pressed Stop.
   * @param {Message} message
   * @param {import('../net/stop.js').StopState} state
   */
  stopping(message, state) {
    this.#answer(message)?.stopping(state);
    if (state === 'unreached') announceAssertively(t('phase.unreached'));
  }

  /** @param {Message} message */
  finish(message) {
    this.#answer(message)?.finish();
    if (message.error) announceAssertively(message.error.message);
    else {
      announce(
        message.status === 'stopped'
          ? t('say.stopped')
          : count('say.ended', message.citations?.length ?? 0),
      );
    }
  }

  /** @param {Message} message */
  #create(message) {
    return message.role === 'user'
      ? new QuestionView(message)
      : new AnswerView(message, this.#engine, this.#grown);
  }

  /** @param {Message} message */
  #answer(message) {
    const view = this.#views.get(message);
    return view instanceof AnswerView ? view : null;
  }

  /** @param {Element} element @returns {Message|null} */
  #messageOf(element) {
    const root = element.closest('[data-message]');
    for (const [message, view] of this.#views) if (view.root === root) return message;
    return null;
  }

  /** @param {Actions} actions */
  #listen(actions) {
    /** @param {string} hook @param {(message: Message, button: HTMLElement) => void} run */
    const on = (hook, run) =>
      delegate(this.#root, 'click', hook, (button) => {
        const message = this.#messageOf(button);
        if (message) run(message, button);
      });
    on('[data-resend]', actions.resend);
    on('[data-ask-again]', actions.regenerate);
    on('[data-regenerate], [data-unread-again]', actions.regenerate);
    on('[data-retry]', actions.retry);
    on('[data-continue], [data-error-continue]', actions.continue);
    on('[data-error-connect]', actions.connect);
    on('[data-branch-previous]', (message) => actions.branch(message, -1));
    on('[data-branch-next]', (message) => actions.branch(message, 1));
    on('[data-copy]', (message, button) =>
      void copyWithFeedback(button, message.content, this.#answer(message)?.html()),
    );
    on('[data-delete-message]', actions.remove);
    mountTextControls(this.#root);
    on('[data-edit]', (message) => this.#question(message)?.edit());
    on('[data-edit-cancel]', (message) => this.#question(message)?.endEdit());
    delegate(this.#root, 'submit', '[data-edit-form]', (form, event) =>
      this.#submitEdit(form, event, actions),
    );
    delegate(this.#root, 'keydown', '[data-edit-field]', (field, event) => {
      const key = /** @type {KeyboardEvent} */ (event);
      if (key.key === 'Escape') {
        key.preventDefault();
        find(field.closest('form') ?? field, '[data-edit-cancel]').click();
      }
      if (key.key !== 'Enter' || key.shiftKey || isComposing(key)) return;
      key.preventDefault();
      field.closest('form')?.requestSubmit();
    });
  }

  /** @param {HTMLElement} form @param {Event} event @param {Actions} actions */
  #submitEdit(form, event, actions) {
    event.preventDefault();
    const message = this.#messageOf(form);
    const text = findAs(form, '[data-edit-field]', HTMLTextAreaElement).value.trim();
    if (message && text && actions.edit(message, text)) this.#question(message)?.endEdit();
  }

  /** @param {Message} message */
  #question(message) {
    const view = this.#views.get(message);
    return view instanceof QuestionView ? view : null;
  }
}
