/** What the server wrote into the page. */
import { setWords } from './i18n.js';

/**
 * Read the page's data block and make its words current.
 * @returns {{limits: {upload_bytes?: number}}} what the server says of its limits; nothing where it
 *   does not
 */
export function readConfig() {
  const block = document.getElementById('app-config');
  const config = JSON.parse(block?.textContent ?? '{}');
  setWords(config.messages ?? {}, config.language ?? 'en');
  return { limits: config.limits ?? {} };
}
