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
import { merge, readMessages } from './history.js';
import { READ_AGAIN, settle, take } from './outcome.js';
import { isLive, isLocal, localMessage, MessageTree } from './tree.js';

/** Refusals that put the question back into the composer, since it is not the question's fault. */
const BACK_TO_COMPOSER = ['no_model', 'model_gone', 'busy', 'unauthorized'];

export class Conversation {
  #api;
  #view;
  #hooks;
  #network;
  #tree = new MessageTree();
  /** @type {string|null} */ #leaf = null;
  /** @type {string|null} */ #sessionId = null;
  /** @type {Run|null} */ #run = null;
  /** @type {Message|null} the answer that the run writes */ #answer = null;
  /** The answer goes on with another one, and shows its text until its own comes. */
  #carried = false;
  /** @type {Map<string, string>} the names of wishes that may not have arrived */ #wishes = new Map();

  /** @param {{api: Pick<import('../net/api.js').Api, 'get'|'patch'>, view: View, hooks: Hooks, network?: Partial<import('../net/run.js').Deps>}} deps */
  constructor({ api, view, hooks, network }) {
    this.#api = api;
    this.#view = view;
    this.#hooks = hooks;
    this.#network = network;
  }

  get sessionId() {
    return this.#sessionId;
  }

  get live() {
    return Boolean(this.#run?.live);
  }

  /**
   * Show another chat, or an empty one. What is being written here goes on at the server.
   * @param {string|null} sessionId @returns {Promise<Session|null>}
   */
  async open(sessionId) {
    this.#run?.close();
    this.#sessionId = sessionId;
    const empty = new MessageTree();
    this.#tree = empty;
    this.#leaf = null;
    if (!sessionId) return this.#showPath(), null;
    const [session, messages] = await Promise.all([this.#api.get(`/api/sessions/${sessionId}`), readMessages(this.#api, sessionId)]);
    if (empty !== this.#tree) return session;
    this.#tree = new MessageTree(messages);
    this.#leaf = (this.#tree.get(session.leaf_id) ?? messages.at(-1) ?? null)?.id ?? null;
    this.#showPath();
    this.#attachIfLive();
    return session;
  }

  /**
   * See whether something was asked in this chat elsewhere, in another tab or on another device, and show it.
   * @returns {Promise<boolean>} whether there was
   */
  async refresh() {
    const [sessionId, tree, options] = [this.#sessionId, this.#tree, { stay: true }];
    if (this.live || !sessionId || !this.#leaf) return false;
    const session = await this.#api.get(`/api/sessions/${sessionId}`, options);
    const known = !session.leaf_id || tree.get(session.leaf_id);
    if (known && !tree.hasLive()) return false;
    const messages = await readMessages(this.#api, sessionId, options);
    if (this.live || tree !== this.#tree) return false;
    merge(tree, messages);
    if (!known) this.#leaf = tree.moveUnsent(this.#leaf, session.leaf_id);
    this.#showPath();
    this.#attachIfLive();
    return true;
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
    if (question) this.#another(question.id, { question_id: question.id }, null);
  }

  /** Go on with an answer that was stopped, cut or failed: a new one that begins with its text. @param {Message} answer */
  continue(answer) {
    this.#another(answer.parent_id, { continue_id: answer.id }, answer);
  }

  /** What the button beside an error does: read the answer again if only the connection was at fault. @param {Message} answer */
  retry(answer) {
    if (this.live) return this.nudge('asked');
    if (!READ_AGAIN.includes(answer.error?.code ?? '')) return this.regenerate(answer);
    answer.error = null;
    answer.status = 'running';
    this.#attach(answer);
  }

  /** End the answer. */
  stop() {
    void this.#run?.stop();
  }

  /** The network or the page is back, or somebody does not want to wait. @param {'seen'|'online'|'asked'} why */
  nudge(why) {
    this.#run?.nudge(why);
  }

  /** The page is being left; a page that comes back from the browser's cache attaches again. */
  detach() {
    this.#run?.close();
  }

  attachAgain() {
    if (!this.live) this.#attachIfLive();
  }

  /** Show the alternative `step` places away. @param {Message} message @param {number} step */
  switchBranch(message, step) {
    const leaf = this.#tree.leafBeside(message, step);
    if (!leaf || this.live) return;
    this.#leaf = leaf.id;
    this.#showPath();
    this.#attachIfLive();
    if (!this.#sessionId) return;
    this.#api.patch(`/api/sessions/${this.#sessionId}`, { leaf_id: this.#leaf }).catch((error) => this.#hooks.problem(error));
  }

  /** Also sent twice, it is fulfilled once. @param {string|null} questionId @param {Record<string, string>} wish @param {Message|null} before what it goes on with */
  #another(questionId, wish, before) {
    if (this.live) return;
    const key = JSON.stringify(wish);
    const id = this.#wishes.get(key) ?? newId();
    this.#wishes.set(key, id);
    const answer = this.#local('assistant', `answer-${id}`, questionId, before?.content ?? '', 'queued');
    if (before) answer.sources = before.sources;
    this.#showPath();
    this.#begin({ ask: this.#body({ ...wish, client_message_id: id }) }, answer, null);
    this.#carried = before !== null;
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
    const message = localMessage(role, id, parent, content, status);
    message.session_id = this.#sessionId;
    if (role === 'assistant') Object.assign(message, this.#hooks.choice().llm_config);
    this.#tree.add(message);
    this.#leaf = id;
    return message;
  }

  #showPath() {
    this.#view.show(this.#tree.path(this.#leaf), this.#tree);
  }

  #attachIfLive() {
    const live = this.#tree.path(this.#leaf).findLast(isLive);
    if (live) this.#attach(live);
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
    this.#carried = false;
    const run = new Run(target, {
      event: (event) => this.#take(run, event, question),
      gap: (gap) => this.#view.gap(answer, gap),
      stop: (state) => this.#view.stopping(answer, state),
      end: (outcome) => this.#ended(run, outcome, answer, question),
    }, this.#network);
    this.#run = run;
    this.#hooks.live(true);
    void run.start();
  }

  /** @param {Run} run @param {WireEvent} event @param {Message|null} question */
  #take(run, event, question) {
    const answer = this.#answer;
    if (!answer || run !== this.#run) return;
    if (event.type === 'context') this.#accepted(event, answer, question);
    if (event.type === 'chunk' && this.#carried) this.#take(run, { type: 'reset', data: {} }, question);
    if (event.type === 'chunk' || event.type === 'reset') this.#carried = false;
    take(answer, event);
    this.#view.stream(answer, event);
  }

  /** @param {import('../net/events.js').ContextEvent} event @param {Message} answer @param {Message|null} question */
  #accepted(event, answer, question) {
    if (question && event.question_id) {
      this.#tree.rename(question, event.question_id);
      question.status = 'complete';
    }
    const own = isLocal(answer);
    if (this.#leaf === answer.id) this.#leaf = event.message_id;
    this.#tree.rename(answer, event.message_id);
    this.#wishes.clear();
    answer.status = 'running';
    answer.knowledge = event.data;
    this.#sessionId ??= event.session_id;
    answer.session_id = this.#sessionId;
    if (question) this.#view.update(question);
    this.#view.update(answer);
    if (own) this.#hooks.accepted(event.session_id, question !== null);
  }

  /** @param {Run} run @param {Outcome} outcome @param {Message} answer @param {Message|null} question */
  #ended(run, outcome, answer, question) {
    if (run !== this.#run) return;
    this.#run = null;
    const signedOut = outcome.error?.status === 401;
    if (isLocal(answer) && ['refused', 'unsent'].includes(outcome.state)) this.#notAccepted(outcome, answer, question);
    else if (outcome.state === 'closed' || signedOut) answer.status = 'running';
    else {
      if (this.#carried) answer.content = '';
      settle(answer, outcome);
      this.#view.finish(answer);
      this.#showPath();
    }
    this.#hooks.live(false);
    if (signedOut) this.#hooks.signedOut();
    else if (outcome.state !== 'closed') this.#hooks.ended(outcome);
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
