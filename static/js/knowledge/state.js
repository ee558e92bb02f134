/** A file's state in words. */
import { t } from '../core/i18n.js';

const STATES = ['waiting', 'sending', 'queued', 'parsing', 'indexing', 'embedding', 'ready', 'failed'];
/** From here on a file is found by its words; vectors follow. */
const SEARCHABLE = ['embedding', 'ready'];

/**
 * @param {{status: string, progress?: number|null, error?: {message: string}|null}} file
 * @returns {{text: string, percent: number|null, searchable: boolean}} percent is null where nobody knows
 */
export function stateOf({ status, progress, error }) {
  const known = STATES.includes(status) ? status : 'queued';
  const percent = typeof progress === 'number' ? Math.round(progress <= 1 && status !== 'sending' ? progress * 100 : progress) : null;
  const text = known === 'failed' && error?.message ? error.message : t(`file.${known}`, { percent: percent ?? 0 });
  return { text, percent: percent || null, searchable: SEARCHABLE.includes(status) };
}
