/** Shows whether a base has keyword search only or semantic search too. */
import { find, findAs, showText } from '../core/dom.js';
import { currentLanguage, t } from '../core/i18n.js';
import { canManage } from '../core/permission.js';

/** @typedef {import('../types.js').Base} Base */

const STATES = ['off', 'ready', 'building', 'mismatch'];

/**
 * @param {HTMLElement} root
 * @param {Base} base hidden where `vectors` is missing
 */
export function showVectors(root, base) {
  const { vectors } = base;
  const known = vectors && STATES.includes(vectors.state) && base.files > 0;
  root.hidden = !known;
  if (!known) return;
  const { state, made_with: made, current, done = 0, total = 0 } = vectors;
  root.dataset.vectors = state;
  const names = {
    made: made ?? '?',
    current: current ?? '?',
    done: number(done),
    total: number(total),
  };
  // Off although there is an embedder: the base has not been embedded yet.
  const silent = state === 'ready' || (state === 'off' && Boolean(current));
  find(root, '[data-vectors-text]').textContent = t(`knowledge.vectors.${state}`, names);
  showText(
    find(root, '[data-vectors-why]'),
    silent ? '' : t(`knowledge.vectors.${state}.why`, names),
  );
  const bar = findAs(root, '[data-vectors-progress]', HTMLProgressElement);
  bar.hidden = state !== 'building';
  bar.max = Math.max(total, 1);
  bar.value = done;
  find(root, '[data-reindex]').hidden = state !== 'mismatch' || !canManage(base);
}

/** @param {number} value */
const number = (value) => value.toLocaleString(currentLanguage());
