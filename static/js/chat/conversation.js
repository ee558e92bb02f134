/**
 * One chat: its messages, and the one answer that is being written here. It decides what happens to questions and answers;
 * the view shows it, the composer feeds it. It touches no document.
 *
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../types.js').Session} Session
 * @typedef {import('../types.js').View} View
 * @typedef {import('../types.js').Hooks} Hooks
 * @typedef {import('../net/run.js').Outcome} Outcome
 * @typedef {import('../net/events.js').WireEvent} WireEvent
 * @typedef {{parent?: string|null, id?: string}} AskOptions `parent` makes a branch; `id` is the client_message_id
 */
import { newId } from '../core/format.js';
import { t } from '../core/i18n.js';
import { Run } from '../net/run.js';
import { READ_AGAIN, settle } from './outcome.js';
import { MessageTree } from './tree.js';

/** Refusals that put the question back into the composer, since it is not the question's fault. */
const BACK_TO_COMPOSER = ['no_model', 'model_gone', 'busy'];

export class Conversation {
  #api;
  #view;
  #hooks;
  #tree = new MessageTree();
  /** @type {string|null} */ #leaf = null;
  /** @type {string|null} */ #sessionId = null;
  /** @type {Run|null} */ #run = null;
  /** @type {Message|null} the answer that the run writes */ #answer = null;
  #opening = 0;

  /** @param {{api: import('../net/api.js').Api, view: View, hooks: Hooks}} deps */
  constructor({ api, view, hooks }) {
    this.#api = api;
    this.#view = view;
    this.#hooks = hooks;
  }

  get sessionId() {
    return this.#sessionId;
  }

  get live() {
    return Boolean(this.#run?.live);
  }

  get isEmpty() {
    return this.#leaf === null;
  }

  /**
   * Show another chat, or an empty one. What is being written here goes on at the server.
   * @param {string|null} sessionId @returns {Promise<Session|null>}
   */
  async open(sessionId) {
    this.#run?.close();
    this.#sessionId = sessionId;
    this.#tree = new MessageTree();
    this.#leaf = null;
    this.#opening += 1;
    const opening = this.#opening;
    if (!sessionId) return this.#showPath(), null;
    const [session, messages] = await Promise.all([this.#api.get(`/api/sessions/${sessionId}`), this.#allMessages(sessionId)]);
    if (opening !== this.#opening) return session;
    this.#tree = new MessageTree(messages);
    this.#leaf = (this.#tree.get(session.leaf_id) ?? messages.at(-1) ?? null)?.id ?? null;
    this.#showPath();
    this.#attachIfLive();
    return session;
  }

  /**
   * Ask a new question. False when this chat is still being answered: then nothing has happened.
   * @param {string} text @param {AskOptions} [options]
   */
  ask(text, options = {}) {
    if (this.live) return false;
    const id = options.id ?? newId();
    const unsent = this.#tree.get(`question-${id}`);
    if (unsent) return this.resend(unsent), true;
    const parent = options.parent === undefined ? this.#leaf : options.parent;
    this.#send(this.#local('user', `question-${id}`, parent, text, 'sending'), id, options.parent !== undefined);
    return true;
  }

  /** Send a question that never arrived, under the name it had. @param {Message} question */
  resend(question) {
    if (this.live) return;
    question.status = 'sending';
    question.error = null;
    if (this.#leaf !== question.id) this.#tree.moveBelow(question, this.#leaf);
    this.#view.update(question);
    this.#send(question, question.id.replace('question-', ''), false);
  }

  /** Ask for another answer to the same question. @param {Message} message the question or one of its answers */
  regenerate(message) {
    const question = message.role === 'user' ? message : this.#tree.get(message.parent_id);
    if (question) this.#another(question.id, { question_id: question.id });
  }

  /** Go on with an answer that was stopped, cut or failed: a new one that begins with its text. @param {Message} answer */
  continue(answer) {
    this.#another(answer.parent_id, { continue_id: answer.id });
  }

  /** What the button beside an error does: read the answer again if only the connection was at fault. @param {Message} answer */
  retry(answer) {
    if (this.live) return;
    if (!READ_AGAIN.includes(answer.error?.code ?? '')) return this.regenerate(answer);
    answer.error = null;
    answer.status = 'running';
    this.#attach(answer);
  }

  /** End the answer. */
  stop() {
    void this.#run?.stop();
  }

  /** The network or the page is back. */
  nudge() {
    const last = this.#tree.get(this.#leaf);
    if (this.#run?.live) this.#run.nudge();
    else if (last?.error?.code === 'lost') this.retry(last);
  }

  /** The page is being left; a page that comes back from the browser's cache attaches again. */
  detach() {
    this.#run?.close();
  }

  attachAgain() {
    const last = this.#tree.get(this.#leaf);
    if (!this.live && last?.role === 'assistant' && last.id === this.#answer?.id) this.#attachIfLive();
  }

  /** Show the alternative `step` places away. @param {Message} message @param {number} step */
  switchBranch(message, step) {
    const siblings = this.#tree.siblings(message);
    const other = siblings[siblings.indexOf(message) + step];
    if (!other || this.live) return;
    this.#leaf = this.#tree.leafBelow(other.id)?.id ?? other.id;
    this.#showPath();
    if (!this.#sessionId) return;
    this.#api.patch(`/api/sessions/${this.#sessionId}`, { leaf_id: this.#leaf }).catch((error) => this.#hooks.problem(error));
  }

  /** @param {string} sessionId @returns {Promise<Message[]>} */
  async #allMessages(sessionId) {
    /** @type {Message[]} */
    const messages = [];
    let next = '';
    do {
      const page = await this.#api.get(`/api/sessions/${sessionId}/messages?limit=200${next && `&after=${encodeURIComponent(next)}`}`);
      messages.push(...page.items);
      next = page.next ?? '';
    } while (next);
    return messages;
  }

  /** @param {string|null} questionId @param {Record<string, string>} wish */
  #another(questionId, wish) {
    if (this.live) return;
    const answer = this.#local('assistant', `answer-${newId()}`, questionId, '', 'queued');
    this.#showPath();
    this.#begin({ ask: this.#body(wish) }, answer, null);
  }

  /** @param {Message} question @param {string} id client_message_id: sent twice, it is answered once @param {boolean} branch */
  #send(question, id, branch) {
    const parent = this.#tree.stored(question.parent_id);
    const names = branch || parent !== this.#tree.newest() ? { parent_id: parent } : {};
    const answer = this.#local('assistant', `answer-${id}`, question.id, '', 'queued');
    this.#showPath();
    this.#begin({ ask: this.#body({ question: question.content, client_message_id: id, ...names }) }, answer, question);
  }

  /** @param {Record<string, unknown>} fields */
  #body(fields) {
    return { ...fields, ...(this.#sessionId && { session_id: this.#sessionId }), ...this.#hooks.choice() };
  }

  /** @param {'user'|'assistant'} role @param {string} id @param {string|null} parent @param {string} content @param {Message['status']} status */
  #local(role, id, parent, content, status) {
    /** @type {Message} */
    const message = { id, role, parent_id: parent, session_id: this.#sessionId, content, status, created_at: new Date().toISOString() };
    if (role === 'assistant') Object.assign(message, this.#hooks.choice().llm_config);
    this.#tree.add(message);
    this.#leaf = id;
    return message;
  }

  #showPath() {
    this.#view.show(this.#tree.path(this.#leaf), this.#tree);
  }

  #attachIfLive() {
    const last = this.#tree.get(this.#leaf);
    if (last?.role === 'assistant' && ['queued', 'running'].includes(last.status)) this.#attach(last);
  }

  /** Read an answer from its beginning. @param {Message} answer */
  #attach(answer) {
    answer.content = '';
    answer.reasoning = '';
    this.#view.update(answer);
    this.#view.stream(answer, { type: 'reset', data: {} });
    this.#begin({ attach: answer.id }, answer, null);
  }

  /** @param {import('../net/run.js').Target} target @param {Message} answer @param {Message|null} question sent with it */
  #begin(target, answer, question) {
    this.#answer = answer;
    const run = new Run(target, {
      event: (event) => this.#take(run, event, question),
      reconnecting: (on) => this.#view.reconnecting(answer, on),
      end: (outcome) => this.#ended(run, outcome, answer, question),
    });
    this.#run = run;
    this.#hooks.live(true);
    void run.start();
  }

  /** @param {Run} run @param {WireEvent} event @param {Message|null} question */
  #take(run, event, question) {
    const answer = this.#answer;
    if (!answer || run !== this.#run) return;
    if (event.type === 'context') this.#accepted(event, answer, question);
    else if (event.type === 'chunk') answer.content += event.data;
    else if (event.type === 'reasoning') answer.reasoning = (answer.reasoning ?? '') + event.data;
    else if (event.type === 'sources') answer.sources = event.data;
    else if (event.type === 'reset') Object.assign(answer, { content: '', reasoning: '' });
    else if (event.type === 'error') answer.error = { code: event.code ?? 'internal', message: event.data };
    else if (event.type === 'done') {
      answer.finish_reason = event.data.finish_reason ?? 'stop';
      answer.citations = event.data.citations ?? [];
      answer.timings = event.data.timings ?? null;
      answer.unread = event.data.unread ?? [];
    }
    this.#view.stream(answer, event);
  }

  /** @param {import('../net/events.js').ContextEvent} event @param {Message} answer @param {Message|null} question */
  #accepted(event, answer, question) {
    if (question && event.question_id) {
      this.#tree.rename(question, event.question_id);
      question.status = 'complete';
    }
    this.#tree.rename(answer, event.message_id);
    this.#leaf = answer.id;
    answer.status = 'running';
    answer.knowledge = event.data;
    this.#sessionId ??= event.session_id;
    answer.session_id = this.#sessionId;
    if (question) this.#view.update(question);
    this.#view.update(answer);
    this.#hooks.accepted(event.session_id);
  }

  /** @param {Run} run @param {Outcome} outcome @param {Message} answer @param {Message|null} question */
  #ended(run, outcome, answer, question) {
    if (run !== this.#run) return;
    this.#run = null;
    const neverAccepted = outcome.state === 'refused' || outcome.state === 'unsent';
    if (outcome.state === 'closed') answer.status = 'running';
    else if (neverAccepted && answer.id.startsWith('answer-')) this.#notAccepted(outcome, answer, question);
    else this.#settle(outcome, answer);
    this.#hooks.live(false);
    if (outcome.state !== 'closed') this.#hooks.ended();
  }

  /** @param {Outcome} outcome @param {Message} answer */
  #settle(outcome, answer) {
    settle(answer, outcome);
    this.#view.finish(answer);
    this.#showPath();
  }

  /** No empty answer stays behind; the question is marked, or goes back to where it can be sent from. @param {Outcome} outcome @param {Message} answer @param {Message|null} question */
  #notAccepted(outcome, answer, question) {
    const problem = { code: outcome.error?.code ?? 'unsent', message: outcome.error?.message ?? '' };
    this.#tree.remove(answer);
    this.#leaf = this.#tree.leafBelow(answer.parent_id)?.id ?? null;
    if (!question) this.#hooks.problem({ ...problem, message: problem.message || t('net.unreachable') });
    else if (BACK_TO_COMPOSER.includes(problem.code) && this.#hooks.refused(question.content, problem)) {
      this.#tree.remove(question);
      this.#leaf = question.parent_id;
    } else {
      question.status = 'unsent';
      question.error = problem.message ? problem : null;
    }
    this.#showPath();
  }
}
