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
 *   `parent` makes a branch; `id` is the client_message_id */
import { newId } from '../core/format.js';
import { t } from '../core/i18n.js';
import { LiveAnswer } from './live-answer.js';
import { Navigation } from './navigation.js';
import { isUnreached, READ_AGAIN } from './outcome.js';
import { asked, isLive, isLocal, localMessage } from './tree.js';

/** Errors not caused by the question, which is put back into the composer. */
const BACK_TO_COMPOSER = ['no_model', 'model_gone', 'busy', 'unauthorized'];

export class Conversation {
  #view;
  #hooks;
  #network;
  navigation;
  /** What was shown before the question or the request for an answer. */
  #before = { leaf: /** @type {string|null} */ (null), goesOn: false };
  /** @type {LiveAnswer|null} */ #live = null;
  /**
   * The client_message_id of each request for another answer that may not have arrived: a repeated
   * request is answered once.
   * @type {Map<string, string>}
   */
  #requestIds = new Map();

  /**
   * @param {{api: import('./navigation.js').Api, view: View, hooks: Hooks,
   *   network?: Partial<import('../net/run.js').Deps>}} deps
   */
  constructor({ api, view, hooks, network }) {
    this.#view = view;
    this.#hooks = hooks;
    this.#network = network;
    this.navigation = new Navigation({
      api,
      view,
      problem: hooks.problem,
      isLive: () => this.live,
      attach: () => this.#attachIfLive(),
    });
  }

  get sessionId() {
    return this.#history.sessionId;
  }

  get #history() {
    return this.navigation.history;
  }

  get #tree() {
    return this.#history.tree;
  }

  get live() {
    return Boolean(this.#live?.live);
  }

  /**
   * Show another chat, or an empty one. A running answer continues on the server.
   * @param {string|null} sessionId @param {string|null} [message] the message to open it at
   * @returns {Promise<Session|null>}
   */
  open(sessionId, message) {
    this.#live?.close();
    return this.navigation.open(sessionId, message);
  }

  /** Show what was asked in another tab or on another device, if anything was. */
  refresh() {
    return this.navigation.refresh();
  }

  /**
   * Ask a new question.
   * @param {string} text @param {AskOptions} [options]
   * @returns {boolean} false while another answer is running
   */
  ask(text, options = {}) {
    if (this.live) return false;
    if (this.#history.goesOn && options.parent === undefined) {
      void this.#askAtEnd(text, options);
      return true;
    }
    const id = options.id ?? newId();
    const unsent = this.#tree.get(`question-${id}`);
    if (unsent) {
      this.resend(unsent);
      return true;
    }
    const parent = options.parent === undefined ? this.#history.leaf : options.parent;
    this.#before = this.#history.place;
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
    const { leaf } = this.#history;
    if (leaf !== question.id) this.#tree.moveBelow(question, leaf);
    this.#before = { leaf: question.parent_id, goesOn: false };
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
    this.#before = this.#history.place;
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
    const names = branch || parent !== this.#history.end ? { parent_id: parent } : {};
    const answer = this.#local('assistant', `answer-${id}`, question.id, '', 'queued');
    this.#showPath();
    const ask = this.#body({ ...asked(question), client_message_id: id, ...names });
    this.#begin({ target: { ask }, answer, question, continued: false });
  }

  /** @param {Record<string, unknown>} fields */
  #body(fields) {
    return {
      ...fields,
      ...(this.sessionId && { session_id: this.sessionId }),
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
    message.session_id = this.sessionId;
    if (role === 'assistant') Object.assign(message, this.#hooks.choice().llm_config);
    this.#tree.add(message);
    this.#history.goTo({ leaf: id, goesOn: false });
    return message;
  }

  #showPath() {
    this.#view.show(this.#history.path(), this.#tree);
  }

  /**
   * Ask below the end of the branch, which is not loaded yet.
   * @param {string} text @param {AskOptions} options
   */
  async #askAtEnd(text, options) {
    let problem = { code: 'kept', message: t('composer.kept') };
    try {
      await this.navigation.showEnd();
      if (this.ask(text, options)) return;
    } catch (error) {
      problem = /** @type {import('../types.js').Problem} */ (error);
    }
    if (!this.#hooks.refused(text, problem)) this.#hooks.problem(problem);
  }

  #attachIfLive() {
    const live = this.#history.path().findLast(isLive);
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
    this.navigation.cancel();
    this.#history.writing = start.answer;
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
    const history = this.#history;
    if (history.leaf === answer.id) history.leaf = event.message_id;
    this.#tree.rename(answer, event.message_id);
    this.#requestIds.clear();
    answer.status = 'running';
    answer.knowledge = event.data;
    history.sessionId ??= event.session_id;
    answer.session_id = history.sessionId;
    if (own) history.end = event.message_id;
    if (question) this.#view.update(question);
    this.#view.update(answer);
    if (own) this.#hooks.accepted(event.session_id, question !== null);
  }

  /** @param {LiveAnswer} live @param {Outcome} outcome */
  #ended(live, outcome) {
    if (live !== this.#live) return;
    this.#live = null;
    this.#history.writing = null;
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
    const code = error && !isUnreached(error) ? error.code : 'unsent';
    const problem = { code, message: error?.message ?? '' };
    this.#tree.remove(answer);
    this.#history.goTo(this.#before);
    if (!question) {
      this.#hooks.problem({ ...problem, message: problem.message || t('net.unreachable') });
    } else if (this.#backToComposer(question, problem)) {
      this.#tree.remove(question);
    } else {
      this.#history.goTo({ leaf: question.id, goesOn: false });
      question.status = 'unsent';
      question.error = problem.message ? problem : null;
    }
    this.#showPath();
  }

  /** @param {Message} question @param {import('../types.js').Problem} problem */
  #backToComposer(question, problem) {
    if (this.#hooks.waits(question, problem, this.#before.leaf === question.parent_id)) return true;
    const { content, images } = question;
    return BACK_TO_COMPOSER.includes(problem.code) && this.#hooks.refused(content, problem, images);
  }
}
