/** What the server wrote into the page. */
import { setWords } from './i18n.js';

/** Read the page's data block and make its words current. */
export function readConfig() {
  const block = document.getElementById('app-config');
  const config = JSON.parse(block?.textContent ?? '{}');
  setWords(config.messages ?? {}, config.language ?? 'en');
}
