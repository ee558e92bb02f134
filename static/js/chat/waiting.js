/**
 * A question that was sent while its pictures or the files of its knowledge base were not: it stays
 * in the composer until they are.
 */
import { count, t } from '../core/i18n.js';

/** @typedef {import('../types.js').Image} Image */

export class WaitingQuestion {
  #deps;
  /** A question that waits for uploads to finish. */
  #text = '';

  /**
   * @param {{composer: import('./composer.js').Composer,
   *   pictures: import('./pictures.js').Pictures, unsent: () => number,
   *   ask: (text: string, id: string, images: Image[]) => boolean}} deps unsent: how many files of
   *   the chosen knowledge base are uploading
   */
  constructor(deps) {
    this.#deps = deps;
  }

  /** @param {string} text @param {string} id @returns {boolean} whether it was asked */
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
      const asked = ask(text, id, images);
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
