/**
 * The question field. Text is kept as a draft until the server has accepted it, and stays in the
 * field while another answer is being written.
 */
import { find, findAs, isComposing, showText } from '../core/dom.js';
import { newId } from '../core/format.js';
import { t } from '../core/i18n.js';
import { drafts } from '../core/storage.js';
import { mountRecall } from './recall.js';

const DRAFT_MS = 300;
const NEW = 'new';
const touch = matchMedia('(pointer: coarse) and (hover: none)');

export class Composer {
  #form;
  #input;
  #send;
  #stop;
  #notice;
  /**
   * @type {string|null} null until a chat is shown, so that the empty field does not overwrite a
   *   draft
   */
  #chat = null;
  #live = false;
  #timer = 0;
  /** @type {(() => void)|null} */ #action = null;
  #ask;

  /**
   * @param {HTMLElement} dock
   * @param {{ask: (text: string, id: string) => boolean|'waits', stop: () => void,
   *   questions: () => string[]}} actions ask: whether the question was sent, or waits elsewhere;
   *   questions: of the shown branch, oldest first
   */
  constructor(dock, { ask, stop, questions }) {
    this.#ask = ask;
    this.#form = findAs(dock, '[data-composer]', HTMLFormElement);
    this.#input = findAs(dock, '[data-input]', HTMLTextAreaElement);
    this.#send = findAs(dock, '[data-send]', HTMLButtonElement);
    this.#stop = findAs(dock, '[data-stop]', HTMLButtonElement);
    this.#notice = find(dock, '[data-notice]');
    this.#stop.addEventListener('click', () => stop());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.#input.addEventListener('input', () => this.#changed());
    this.#input.addEventListener('keydown', (event) => this.#key(event));
    mountRecall(this.#input, { fill: (text) => this.#fill(text), questions });
    find(dock, '[data-notice-close]').addEventListener('click', () => this.hideNotice());
    find(dock, '[data-notice-action]').addEventListener('click', () => this.#action?.());
    document.addEventListener('keydown', (event) => this.#escape(event));
    window.addEventListener('pagehide', () => this.#keep());
  }

  /** @param {string|null} sessionId the chat that is now shown */
  enter(sessionId) {
    this.#keep();
    this.#chat = sessionId ?? NEW;
    this.#set(drafts.read(sessionId ?? NEW).text);
    this.hideNotice();
    if (!touch.matches) this.#input.focus();
  }

  /**
   * The server has stored the question: only text typed since then remains a draft.
   * @param {string} sessionId
   */
  accepted(sessionId) {
    drafts.write(this.#chat ?? NEW, { text: '', id: null });
    this.#chat = sessionId;
    this.#keep();
  }

  /**
   * Put a refused question back.
   * @param {string} text
   * @returns {boolean} false when the field is not empty
   */
  restore(text) {
    if (this.#input.value.trim()) return false;
    this.#set(text);
    this.#keep();
    this.#input.focus();
    return true;
  }

  /**
   * Put a waiting question before what is in the field.
   * @param {string} text @param {string|null} id its client_message_id
   */
  giveBack(text, id) {
    const typed = this.#input.value.trim();
    this.#fill(typed ? `${text}\n\n${typed}` : text);
    if (!typed) drafts.write(this.#chat ?? NEW, { text, id });
    this.#keep();
    this.#input.focus();
  }

  /** @param {boolean} live */
  setLive(live) {
    this.#live = live;
    this.#stop.hidden = !live;
    this.#stop.disabled = false;
    this.#form.dataset.live = String(live);
    this.#resize();
    if (!live && this.#notice.dataset.notice === 'kept') this.hideNotice();
  }

  /** @param {boolean} asked whether Stop is being sent; disables the button */
  stopping(asked) {
    this.#stop.disabled = asked;
  }

  /** @param {string} text @param {{kind?: string, action?: string, run?: () => void}} [options] */
  notice(text, { kind = '', action, run } = {}) {
    this.#notice.dataset.notice = kind;
    this.#notice.hidden = false;
    find(this.#notice, '[data-notice-text]').textContent = text;
    showText(find(this.#notice, '[data-notice-action]'), action);
    this.#action = run ?? null;
  }

  hideNotice() {
    this.#notice.hidden = true;
  }

  /** The kind of notice that is shown; empty for none. */
  get noticed() {
    return this.#notice.hidden ? '' : (this.#notice.dataset.notice ?? '');
  }

  get text() {
    return this.#input.value.trim();
  }

  focus() {
    this.#input.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return;
    if (touch.matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.submit();
  }

  /** Escape stops the answer, unless it closed something else. @param {KeyboardEvent} event */
  #escape(event) {
    if (event.key !== 'Escape' || event.defaultPrevented || isComposing(event)) return;
    if (!this.#live || document.querySelector('dialog[open]')) return;
    event.preventDefault(); // no other handler must act on it
    this.#stop.click();
  }

  /** Ask the question in the field. */
  submit() {
    const { text } = this;
    if (!text) return;
    const chat = this.#chat ?? NEW;
    const draft = drafts.read(chat);
    const id = draft.id && draft.text === text ? draft.id : newId();
    this.hideNotice();
    const asked = this.#ask(text, id);
    if (!asked) return;
    this.#set('');
    if (!touch.matches) this.#input.focus();
    clearTimeout(this.#timer);
    drafts.write(chat, asked === 'waits' ? { text: '', id: null } : { text, id });
  }

  #changed() {
    this.#resize();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#keep(), DRAFT_MS);
  }

  /** Save the draft. An empty field keeps a question that was sent but not accepted yet. */
  #keep() {
    clearTimeout(this.#timer);
    if (this.#chat === null) return;
    const text = this.#input.value;
    const before = drafts.read(this.#chat);
    if (text ? text !== before.text : !before.id) drafts.write(this.#chat, { text, id: null });
  }

  /** @param {string} text */
  #set(text) {
    this.#input.value = text;
    this.#resize();
  }

  /** Replace the text, with the caret at its end. @param {string} text */
  #fill(text) {
    this.#set(text);
    this.#input.setSelectionRange(text.length, text.length);
    this.#input.scrollTop = this.#input.scrollHeight;
  }

  #resize() {
    const { text } = this;
    this.#send.disabled = !text;
    this.#send.hidden = this.#live && !text;
    this.#send.title = t(this.#live ? 'queue.add' : 'composer.send');
    this.#send.ariaLabel = this.#send.title;
    if (CSS.supports('field-sizing', 'content')) return;
    this.#input.style.blockSize = 'auto';
    this.#input.style.blockSize = `${this.#input.scrollHeight}px`;
  }
}
