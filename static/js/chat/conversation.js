/**
 * The state of one chat: its messages and the running answer. Decides what happens to questions and
 * answers; a view renders them. Does not use the DOM.
 *
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../types.js').Session} Session
 * @typedef {import('../types.js').View} View
 * @typedef {import('../types.js').Hooks} Hooks
 * @typedef {import('../net/run.js').Outcome} Outcome
 * @typedef {{parent?: string|null, id?: string, images?: import('../types.js').Image[]}} AskOptions
 *   `parent` makes a branch; `id` is the client_message_id
 */
import { newId } from '../core/format.js';
import { t } from '../core/i18n.js';
import { merge, readMessages } from './history.js';
import { LiveAnswer } from './live-answer.js';
import { READ_AGAIN } from './outcome.js';
import { asked, isLive, isLocal, localMessage, MessageTree } from './tree.js';

/** Errors not caused by the question, which is put back into the composer. */
const BACK_TO_COMPOSER = ['no_model', 'model_gone', 'busy', 'unauthorized'];

export class Conversation {
  #api;
  #view;
  #hooks;
  #network;
  #tree = new MessageTree();
  /** @type {string|null} */ #leaf = null;
  /** @type {string|null} */ #sessionId = null;
  /** @type {LiveAnswer|null} */ #live = null;
  /**
   * The client_message_id of each request for another answer that may not have arrived: a repeated
   * request is answered once.
   * @type {Map<string, string>}
   */
  #requestIds = new Map();

  /**
   * @param {{api: Pick<import('../net/api.js').Api, 'get'|'patch'>, view: View, hooks: Hooks,
   *   network?: Partial<import('../net/run.js').Deps>}} deps
   */
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
    return Boolean(this.#live?.live);
  }

  /**
   * Show another chat, or an empty one. A running answer continues on the server.
   * @param {string|null} sessionId @returns {Promise<Session|null>}
   */
  async open(sessionId) {
    this.#live?.close();
    this.#sessionId = sessionId;
    const empty = new MessageTree();
    this.#tree = empty;
    this.#leaf = null;
    if (!sessionId) {
      this.#showPath();
      return null;
    }
    const [session, messages] = await Promise.all([
      this.#api.get(`/api/sessions/${sessionId}`),
      readMessages(this.#api, sessionId),
    ]);
    if (empty !== this.#tree) return session;
    this.#tree = new MessageTree(messages);
    this.#leaf = (this.#tree.get(session.leaf_id) ?? messages.at(-1) ?? null)?.id ?? null;
    this.#showPath();
    this.#attachIfLive();
    return session;
  }

  /**
   * Show what was asked in this chat in another tab or on another device.
   * @returns {Promise<boolean>} whether there was anything new
   */
  async refresh() {
    const [sessionId, tree, options] = [this.#sessionId, this.#tree, { background: true }];
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
   * Ask a new question.
   * @param {string} text @param {AskOptions} [options]
   * @returns {boolean} false while another answer is running
   */
  ask(text, options = {}) {
    if (this.live) return false;
    const id = options.id ?? newId();
    const unsent = this.#tree.get(`question-${id}`);
    if (unsent) {
      this.resend(unsent);
      return true;
    }
    const parent = options.parent === undefined ? this.#leaf : options.parent;
    const question = this.#local('user', `question-${id}`, parent, text, 'sending');
    question.images = options.images;
    this.#send(question, id, options.parent !== undefined);
    return true;
  }

  /** Send an unsent question again with its id. @param {Message} question */
  resend(question) {
    if (this.live) return;
    question.status = 'sending';
    question.error = null;
    if (this.#leaf !== question.id) this.#tree.moveBelow(question, this.#leaf);
    this.#view.update(question);
    this.#send(question, question.id.replace('question-', ''), false);
  }

  /**
   * Ask for another answer to the same question.
   * @param {Message} message the question or one of its answers
   */
  regenerate(message) {
    const question = message.role === 'user' ? message : this.#tree.get(message.parent_id);
    if (question) this.#requestAnswer(question.id, { question_id: question.id }, null);
  }

  /**
   * Continue an answer that was stopped, cut or failed: a new answer begins with its text.
   * @param {Message} answer
   */
  continue(answer) {
    this.#requestAnswer(answer.parent_id, { continue_id: answer.id }, answer);
  }

  /**
   * The button beside an error: read the answer again if only the connection failed, else ask for
   * another answer.
   * @param {Message} answer
   */
  retry(answer) {
    if (this.live) return this.nudge('asked');
    if (!READ_AGAIN.includes(answer.error?.code ?? '')) return this.regenerate(answer);
    answer.error = null;
    answer.status = 'running';
    this.#attach(answer);
  }

  stop() {
    this.#live?.stop();
  }

  /**
   * Reconnect without waiting.
   * @param {import('../net/run.js').NudgeReason} why
   */
  nudge(why) {
    this.#live?.nudge(why);
  }

  /** Close the stream when the page is left; see `attachAgain`. */
  detach() {
    this.#live?.close();
  }

  /** Attach again after the page is restored from the back/forward cache. */
  attachAgain() {
    if (!this.live) this.#attachIfLive();
  }

  /** Show the alternative at an offset of `step`. @param {Message} message @param {number} step */
  switchBranch(message, step) {
    const leaf = this.#tree.leafBeside(message, step);
    if (!leaf || this.live) return;
    this.#leaf = leaf.id;
    this.#showPath();
    this.#attachIfLive();
    if (!this.#sessionId) return;
    this.#api
      .patch(`/api/sessions/${this.#sessionId}`, { leaf_id: this.#leaf })
      .catch((error) => this.#hooks.problem(error));
  }

  /**
   * Ask for another answer.
   * @param {string|null} questionId
   * @param {Record<string, string>} fields of the request
   * @param {Message|null} earlier the answer that is continued
   */
  #requestAnswer(questionId, fields, earlier) {
    if (this.live) return;
    const key = JSON.stringify(fields);
    const id = this.#requestIds.get(key) ?? newId();
    this.#requestIds.set(key, id);
    const text = earlier?.content ?? '';
    const answer = this.#local('assistant', `answer-${id}`, questionId, text, 'queued');
    if (earlier) answer.sources = earlier.sources;
    this.#showPath();
    const ask = this.#body({ ...fields, client_message_id: id });
    this.#begin({ target: { ask }, answer, question: null, continued: earlier !== null });
  }

  /**
   * @param {Message} question
   * @param {string} id client_message_id: a question sent twice is answered once
   * @param {boolean} branch
   */
  #send(question, id, branch) {
    const parent = this.#tree.stored(question.parent_id);
    const names = branch || parent !== this.#tree.newest() ? { parent_id: parent } : {};
    const answer = this.#local('assistant', `answer-${id}`, question.id, '', 'queued');
    this.#showPath();
    const ask = this.#body({ ...asked(question), client_message_id: id, ...names });
    this.#begin({ target: { ask }, answer, question, continued: false });
  }

  /** @param {Record<string, unknown>} fields */
  #body(fields) {
    return {
      ...fields,
      ...(this.#sessionId && { session_id: this.#sessionId }),
      ...this.#hooks.choice(),
    };
  }

  /**
   * Add a message that is not stored on the server yet.
   * @param {'user'|'assistant'} role @param {string} id @param {string|null} parent
   * @param {string} content @param {Message['status']} status
   */
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
    const target = { attach: answer.id };
    this.#begin({ target, answer, question: null, continued: false });
  }

  /** @param {import('./live-answer.js').Start} start */
  #begin(start) {
    const live = new LiveAnswer(start, {
      view: this.#view,
      network: this.#network,
      accepted: (begun, event) => this.#accepted(begun, event),
      ended: (over, outcome) => this.#ended(over, outcome),
    });
    this.#live = live;
    this.#hooks.live(true);
    live.start();
  }

  /**
   * The server has stored the question and the answer: they get their ids.
   * @param {LiveAnswer} live @param {import('../net/events.js').ContextEvent} event
   */
  #accepted({ answer, question }, event) {
    if (question && event.question_id) {
      this.#tree.rename(question, event.question_id);
      question.status = 'complete';
    }
    const own = isLocal(answer);
    if (this.#leaf === answer.id) this.#leaf = event.message_id;
    this.#tree.rename(answer, event.message_id);
    this.#requestIds.clear();
    answer.status = 'running';
    answer.knowledge = event.data;
    this.#sessionId ??= event.session_id;
    answer.session_id = this.#sessionId;
    if (question) this.#view.update(question);
    this.#view.update(answer);
    if (own) this.#hooks.accepted(event.session_id, question !== null);
  }

  /** @param {LiveAnswer} live @param {Outcome} outcome */
  #ended(live, outcome) {
    if (live !== this.#live) return;
    this.#live = null;
    const { answer } = live;
    const signedOut = outcome.error?.status === 401;
    if (isLocal(answer) && ['refused', 'unsent'].includes(outcome.state)) {
      this.#notAccepted(live, outcome);
    } else if (outcome.state === 'closed' || signedOut) answer.status = 'running';
    else {
      live.finish(outcome);
      this.#showPath();
    }
    this.#hooks.live(false);
    if (signedOut) this.#hooks.signedOut();
    else if (outcome.state !== 'closed') this.#hooks.ended(outcome);
  }

  /**
   * Remove the empty answer. The question goes back into the composer or is marked as unsent.
   * @param {LiveAnswer} live @param {Outcome} outcome
   */
  #notAccepted({ answer, question }, { error }) {
    const problem = { code: error?.code ?? 'unsent', message: error?.message ?? '' };
    this.#tree.remove(answer);
    this.#leaf = this.#tree.leafBelow(answer.parent_id)?.id ?? null;
    if (!question) {
      this.#hooks.problem({ ...problem, message: problem.message || t('net.unreachable') });
    } else if (this.#backToComposer(question, problem)) {
      this.#tree.remove(question);
      this.#leaf = question.parent_id;
    } else {
      question.status = 'unsent';
      question.error = problem.message ? problem : null;
    }
    this.#showPath();
  }

  /** @param {Message} question @param {import('../types.js').Problem} problem */
  #backToComposer({ content, images }, problem) {
    return BACK_TO_COMPOSER.includes(problem.code) && this.#hooks.refused(content, problem, images);
  }
}
