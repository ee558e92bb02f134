/**
 * The chat page: which chat is shown, its URL, and the wiring between its parts.
 */
import { fromRoot, here, messageInAddress, sessionInAddress } from '../core/address.js';
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { goToSignIn, isMissing, signedOut } from '../net/api.js';
import { toast, toastError } from '../ui/toast.js';
import { Composer } from './composer.js';
import { Conversation } from './conversation.js';
import { EmptyPage } from './empty.js';
import { OtherTabs } from './other-tabs.js';
import { mountBufferingNotice } from './buffering-notice.js';
import { storeFeedback } from './feedback.js';
import { Pictures } from './pictures.js';
import { mountPrinting } from './printing.js';
import { removeMessage } from './removal.js';
import { Thread } from './thread.js';
import { TitleMenu } from './title-menu.js';
import { Viewport } from './viewport.js';
import { WaitingQuestion } from './waiting.js';

/** @typedef {import('../types.js').Problem} Problem */
/** @typedef {import('../types.js').Session} Session */

const MODEL_CODES = ['no_model', 'model_gone'];

export class ChatPage {
  #deps;
  #composer;
  /** The pictures of the next question. */ pictures;
  #waiting;
  #thread;
  #viewport;
  #follower;
  #conversation;
  #otherTabs;
  #bufferingNotice;
  #menu;
  #empty;
  #title = find(document, '[data-title]');
  #name = '';

  /**
   * @param {{api: import('../net/api.js').Api, library: import('./library.js').Library,
   *   sessions: import('../sessions/list.js').SessionList, connect: (reason?: string) => void,
   *   mayConnect: boolean,
   *   files: {unsent: (base: string) => number, tidy: () => void,
   *   subscribe: (listener: () => void) => void}, documents: (files: File[]) => void,
   *   show: (base?: string, file?: string, at?: import('../types.js').Source) => void}} deps files:
   *   the upload queue; documents: uploads files; show: opens a passage in its document
   */
  constructor(deps) {
    this.#deps = deps;
    const scroll = find(document, '[data-scroll]');
    const root = find(document, '[data-thread]');
    this.#viewport = new Viewport(scroll, root, {
      navigation: () => this.#conversation.navigation,
      element: (id) => this.#thread.element(id),
      retry: () => this.#reopen(),
    });
    this.#follower = this.#viewport.follower;
    this.#thread = new Thread(root, this.#actions(), () => this.#follower.follow());
    this.#composer = new Composer(find(document, '.dock'), {
      ask: (text, id) => this.#waiting.askOrWait(text, id),
      stop: () => this.#conversation.stop(),
      questions: () => this.#conversation.navigation.questions,
    });
    this.pictures = new Pictures(find(document, '.dock'), {
      ...deps,
      changed: () => this.#waiting.picturesChanged(),
    });
    this.#waiting = new WaitingQuestion({
      api: deps.api,
      composer: this.#composer,
      pictures: this.pictures,
      unsent: () => this.#unsent(),
      ask: (text, id, images) => this.#ask(text, { id, images }),
      conversation: () => this.#conversation,
      join: () => void this.#joinLiveAnswer(),
    });
    this.#conversation = new Conversation({
      api: deps.api,
      view: this.#view(),
      hooks: this.#hooks(),
    });
    mountPrinting(() => this.#conversation.navigation);
    this.#menu = new TitleMenu(deps, () => void deps.sessions.load().catch(toastError));
    this.#otherTabs = new OtherTabs((change) => void this.#checkForChanges(change));
    this.#bufferingNotice = mountBufferingNotice({
      manual: (question) => void this.#showManual(question),
      grown: () => this.#follower.follow(),
    });
    this.#empty = new EmptyPage(find(document, '[data-empty]'), {
      ...deps,
      ask: (text) => this.#ask(text),
    });
    deps.files.subscribe(() => this.#waiting.filesChanged());
    this.#listen();
  }

  /** @param {import('../types.js').ChatPreset} preset */
  usePreset = (preset) => this.#menu.usePreset(preset);

  get sessionId() {
    return this.#conversation.sessionId;
  }

  /**
   * Show a chat; null is a new one.
   * @param {string|null} id
   * @param {{push?: boolean, message?: string|null}} [options] message: where to open the chat
   */
  async go(id, { push = true, message = null } = {}) {
    const part = message ? `#${message}` : '';
    if (push) history.pushState(null, '', fromRoot(id ? `/c/${id}${part}` : '/'));
    const loaded = this.#conversation.navigation.history.leaf !== null;
    if (message && loaded && id === this.sessionId) return this.#viewport.showMessage(message);
    this.#deps.sessions.setCurrent(id);
    this.#waiting.enter(id);
    this.#bufferingNotice.hide();
    this.#setName('');
    this.#viewport.begin(id);
    try {
      const session = await this.#conversation.open(id, message);
      if (id !== this.sessionId) return;
      this.#deps.library.enter(session);
      this.#menu.enter(session);
      this.#setName(session?.title ?? '');
      this.#viewport.opened(message);
      this.#waiting.opened();
    } catch (error) {
      if (id !== this.sessionId) return;
      if (!isMissing(error)) return this.#viewport.fail(error);
      toastError(error);
      await this.go(null);
    }
  }

  /** Show the chat of the address. */
  #reopen() {
    void this.go(sessionInAddress(), { push: false, message: messageInAddress() });
  }

  /** @returns {import('./thread.js').Actions} */
  #actions() {
    return {
      resend: (question) => this.#conversation.resend(question),
      regenerate: (message) => this.#conversation.regenerate(message),
      retry: (answer) => this.#conversation.retry(answer),
      continue: (answer) => this.#conversation.continue(answer),
      edit: ({ parent_id: parent, images }, text) =>
        this.#ask(text, { parent, images: images ?? [] }),
      branch: (message, step) => void this.#conversation.navigation.switchBranch(message, step),
      remove: (message) =>
        void removeMessage(message, this.#deps.api, this.#conversation, this.#thread),
      connect: () => this.#deps.connect(),
      source: (source) => this.#deps.show(source.knowledge_base_id, source.file_id, source),
      feedback: (answer, feedback) => storeFeedback(this.#deps.api, answer, feedback),
      search: (answer) => this.#deps.api.get(`/api/messages/${answer.id}/search`),
    };
  }

  /** @returns {import('../types.js').View} */
  #view() {
    const thread = this.#thread;
    return {
      show: (path, tree) => {
        thread.show(path, tree);
        this.#empty.show(path.length === 0);
        this.#viewport.changed();
      },
      grow: (path, tree) => this.#viewport.grow(() => thread.grow(path, tree)),
      update: (message) => thread.update(message),
      stream: (message, event) => thread.stream(message, event),
      gap: (message, gap) => thread.gap(message, gap),
      stopping: (message, state) => {
        thread.stopping(message, state);
        this.#composer.stopping(state === 'asked');
      },
      finish: (message) => thread.finish(message),
    };
  }

  /** @returns {import('../types.js').Hooks} */
  #hooks() {
    return {
      choice: () => this.#menu.request(this.#deps.library.request()),
      live: (live) => this.#waiting.setLive(live),
      accepted: (sessionId, asked) => void this.#accepted(sessionId, asked),
      ended: (outcome) => this.#ended(outcome),
      signedOut: () => this.#signedOut(),
      waits: (question, problem, appended) => this.#waiting.waits(question, problem, appended),
      refused: (text, problem, images) => this.#refused(text, problem, images),
      problem: (problem) => this.#problem(problem),
    };
  }

  /** @param {string} text @param {import('./conversation.js').AskOptions} [options] */
  #ask(text, options) {
    if (!this.#deps.library.choice.get().model) {
      this.#needsModel(t('composer.no_model'));
      return false;
    }
    if (!this.#conversation.ask(text, options)) {
      this.#composer.notice(t('composer.kept'), { kind: 'kept' });
      return false;
    }
    this.#follower.toEnd();
    return true;
  }

  /** Files of the chosen knowledge base that are uploading. */
  #unsent() {
    const { choice, coming } = this.#deps.library;
    const base = coming.get()?.id ?? choice.get().base;
    return base ? this.#deps.files.unsent(base) : 0;
  }

  /** @param {string} sessionId @param {boolean} asked */
  async #accepted(sessionId, asked) {
    if (asked) this.#waiting.accepted(sessionId);
    this.#menu.accepted(sessionId);
    this.#otherTabs.notify(sessionId);
    this.#deps.files.tidy();
    if (this.#deps.sessions.get(sessionId)) return;
    if (here() !== `/c/${sessionId}`) history.replaceState(null, '', fromRoot(`/c/${sessionId}`));
    this.#deps.sessions.setCurrent(sessionId);
    await this.#deps.sessions.load().catch(toastError);
    const session = await this.#deps.sessions.find(sessionId).catch(() => null);
    if (!session || sessionId !== this.sessionId) return;
    this.#deps.library.adopt(session);
    this.#setName(session.title);
  }

  /** @param {import('../net/run.js').Outcome} outcome */
  #ended(outcome) {
    this.#bufferingNotice.arrived(outcome.delivery);
    this.#waiting.ended(outcome);
    const renamed = this.#deps.sessions.load().then(() => this.#renamed());
    renamed.catch(() => {}); // a stale list is harmless
  }

  /**
   * Check for changes from other tabs and devices.
   * @param {import('./other-tabs.js').Change} change
   */
  async #checkForChanges({ session, seen }) {
    const here = session === undefined || session === this.sessionId;
    const found = here && (await this.#conversation.refresh().catch(() => false));
    if (found) this.#follower.follow();
    if (document.hidden || !(found || seen || session)) return;
    await this.#deps.sessions.load({ background: true }).then(
      () => this.#renamed(),
      () => {},
    );
  }

  #renamed() {
    this.#setName(this.#deps.sessions.get(this.sessionId ?? '')?.title ?? this.#name);
  }

  /** @param {string} name */
  #setName(name) {
    this.#name = name;
    this.#title.textContent = name || t('sidebar.new');
    document.title = name ? `${name} · ${t('app.name')}` : t('app.name');
  }

  /** @type {import('../types.js').Hooks['refused']} */
  #refused(text, problem, images) {
    if (this.#waiting.refused(this.#waiting.sending, problem)) return true;
    if (!this.#composer.restore(text)) return false;
    this.pictures.restore(images);
    if (problem.code === 'unauthorized') return true;
    if (MODEL_CODES.includes(problem.code)) this.#needsModel(problem.message);
    else {
      this.#composer.notice(problem.message, { kind: problem.code });
      if (problem.code === 'busy') queueMicrotask(() => void this.#joinLiveAnswer());
    }
    return true;
  }

  /** Another tab is asking in this chat: show its answer. */
  async #joinLiveAnswer() {
    await this.#conversation.open(this.sessionId).catch(toastError);
    this.#follower.toEnd();
  }

  /** @param {Problem} problem */
  #problem(problem) {
    if (problem.code === 'unauthorized') return;
    if (MODEL_CODES.includes(problem.code)) this.#needsModel(problem.message);
    else toast(problem.message, { stays: true });
    if (problem.code === 'busy') queueMicrotask(() => void this.#joinLiveAnswer());
  }

  /** Go to the sign-in page, or only offer a link if leaving would lose data. */
  #signedOut() {
    if (signedOut()) return;
    this.#composer.notice(t('net.signed_out'), {
      kind: 'unauthorized',
      action: t('sign_in.go'),
      run: goToSignIn,
    });
  }

  /** Open the built-in manual at the passage about a question. @param {string} question */
  async #showManual(question) {
    const manual = this.#deps.library.bases.get().find((base) => base.bundled);
    if (!manual) return;
    try {
      const { items } = await this.#deps.api.post(`/api/knowledge/${manual.id}/search`, {
        query: question,
        k: 1,
      });
      this.#deps.show(manual.id, items[0]?.file_id, items[0]);
    } catch (error) {
      toastError(error);
    }
  }

  /** @param {string} sentence */
  #needsModel(sentence) {
    const connect = () => this.#deps.connect(sentence);
    this.#composer.notice(sentence, { kind: 'no_model', action: t('connect.title'), run: connect });
    connect();
  }

  #listen() {
    const offline = find(document, '[data-offline]');
    const network = () => {
      offline.hidden = navigator.onLine;
      if (navigator.onLine) this.#conversation.nudge('online');
    };
    window.addEventListener('online', network);
    window.addEventListener('offline', network);
    document.addEventListener(
      'visibilitychange',
      () => document.hidden || this.#conversation.nudge('seen'),
    );
    window.addEventListener('pagehide', () => this.#conversation.detach());
    window.addEventListener(
      'pageshow',
      (event) => event.persisted && this.#conversation.attachAgain(),
    );
    window.addEventListener('popstate', () => this.#reopen());
  }
}
