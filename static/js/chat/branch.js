/** The branch switcher ‹1/2› of a message with alternatives. */
import { find, findAs } from '../core/dom.js';

/** @typedef {import('../types.js').Message} Message */

/** @param {HTMLElement} root @param {Message} message @param {string[]} siblings ids */
export function showBranch(root, message, siblings) {
  const at = siblings.indexOf(message.id);
  find(root, '[data-branch]').hidden = siblings.length < 2;
  find(root, '[data-branch-count]').textContent = `${at + 1}/${siblings.length}`;
  findAs(root, '[data-branch-previous]', HTMLButtonElement).disabled = at <= 0;
  findAs(root, '[data-branch-next]', HTMLButtonElement).disabled = at >= siblings.length - 1;
}
