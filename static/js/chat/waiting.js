/**
 * Questions that cannot go out yet. One whose pictures or files are still being sent stays in the
 * composer until they are; one that was sent while an answer is written waits in the queue.
 */
import { count, t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { QuestionQueue } from './queue.js';
import { QueueView } from './queue-view.js';

/** @typedef {import('../types.js').Image} Image */

export class WaitingQuestion {
  #deps;
  /** A question that waits for uploads to finish. */
  #text = '';
  #queue;

  /**
   * @param {{composer: import('./composer.js').Composer,
   *   api: Pick<import('../net/api.js').Api, 'get'>,
   *   pictures: import('./pictures.js').Pictures, unsent: () => number,
   *   ask: (text: string, id: string, images: Image[]) => boolean,
   *   conversation: () => import('./conversation.js').Conversation, join: () => void}} deps unsent:
   *   how many files of the chosen knowledge base are uploading; join: show the answer that another
   *   tab has asked for
   */
  constructor(deps) {
    this.#deps = deps;
    const view = new QueueView({
      edit: (id) => this.#giveBack([this.#queue.remove(id)]),
      remove: (id) => {
        this.#queue.remove(id);
        deps.composer.focus();
      },
      send: () => this.#queue.sendNow(),
    });
    this.#queue = new QuestionQueue({
      ask: ({ text, id, images }) => deps.conversation().ask(text, { id, images }),
      isLive: () => deps.conversation().live,
      probe: () => deps.api.get('/healthz', { background: true }),
      giveBack: (questions) => {
        this.#giveBack(questions);
        announce(t('queue.returned'));
      },
      show: (questions, reason) => view.show(questions, reason),
    });
  }

  /** A chat is being opened. @param {string|null} sessionId */
  enter(sessionId) {
    this.#deps.composer.enter(sessionId);
    this.#deps.pictures.enter(sessionId);
    this.#queue.enter(sessionId);
  }

  /** The chat is open. */
  opened() {
    const { history } = this.#deps.conversation().navigation;
    if (!history.goesOn) this.#queue.opened(history.path().at(-1) ?? null);
  }

  /** @param {boolean} live */
  setLive(live) {
    this.#deps.composer.setLive(live);
    this.#queue.show();
  }

  /** The server has stored a question. @param {string} sessionId */
  accepted(sessionId) {
    this.#deps.composer.accepted(sessionId);
    this.#queue.accepted(sessionId);
  }

  /** @type {import('../types.js').Hooks['waits']} */
  waits({ id: local, content: text, images }, problem, appended) {
    const id = local.replace('question-', '');
    if (this.refused(id, problem)) return true;
    if (problem.code !== 'unsent' || !appended) return false;
    this.#queue.unreached({ text, id, images: images ?? [] });
    announce(t('queue.offline'));
    return true;
  }

  /**
   * @param {string} question its client_message_id @param {import('../types.js').Problem} problem
   * @returns {boolean} whether the refused question waits
   */
  refused(question, problem) {
    const waits = this.#queue.refused(question, problem);
    if (waits && problem.code === 'busy') queueMicrotask(this.#deps.join);
    return waits;
  }

  /** The client_message_id of the waiting question that is being sent; empty for none. */
  get sending() {
    return this.#queue.sending;
  }

  /** @param {import('../net/run.js').Outcome} outcome */
  ended(outcome) {
    this.#queue.ended(outcome);
  }

  /**
   * @param {string} text @param {string} id
   * @returns {boolean|'waits'} whether it was asked, or waits outside the composer
   */
  askOrWait(text, id) {
    const { composer, pictures, unsent, ask } = this.#deps;
    const { held, images } = pictures;
    if (held) {
      composer.notice(held, { kind: 'pictures' });
      return false;
    }
    const files = unsent();
    if (!files || this.#text === text) {
      this.#text = '';
      const waits = this.#queue.takes && this.#add({ text, id, images });
      const asked = waits || ask(text, id, images);
      if (asked) pictures.clear();
      return asked;
    }
    this.#text = text;
    composer.notice(count('composer.sending', files), {
      kind: 'sending',
      action: t('composer.ask_now'),
      run: () => composer.submit(),
    });
    return false;
  }

  /** @param {import('../core/storage.js').Queued} question @returns {'waits'} */
  #add(question) {
    this.#queue.add(question);
    announce(t(this.#deps.conversation().live ? 'queue.added' : 'queue.offline'));
    return 'waits';
  }

  /** @param {(import('../core/storage.js').Queued|undefined)[]} questions */
  #giveBack(questions) {
    const found = questions.filter((question) => question !== undefined);
    if (!found.length) return;
    const text = found.map((question) => question.text).join('\n\n');
    this.#deps.composer.giveBack(text, found.length === 1 ? found[0].id : null);
    this.#deps.pictures.restore(found.flatMap((question) => question.images));
  }

  /** The pictures have changed. */
  picturesChanged() {
    const { composer, pictures } = this.#deps;
    if (composer.noticed === 'pictures' && !pictures.held) composer.submit();
  }

  /** The uploads have changed. */
  filesChanged() {
    const { composer, unsent } = this.#deps;
    if (!this.#text || unsent()) return;
    if (composer.text === this.#text && composer.noticed === 'sending') composer.submit();
    this.#text = '';
  }
}
