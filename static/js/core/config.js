/** The configuration that the server embeds in the page. */
import { setMessages } from './i18n.js';

/**
 * Read the page's data block and set its texts.
 * @returns {{limits: {upload_bytes?: number}}} the server's limits, as far as it names them
 */
export function readConfig() {
  const block = document.getElementById('app-config');
  const config = JSON.parse(block?.textContent ?? '{}');
  setMessages(config.messages ?? {}, config.language ?? 'en');
  return { limits: config.limits ?? {} };
}
