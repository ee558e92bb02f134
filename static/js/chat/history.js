/**
 * The messages of a chat as the server has them, and how they come into a tree that is shown
 * already.
 */

/** @typedef {import('../types.js').Message} Message */

const PAGE = 200;

/**
 * @param {Pick<import('../net/api.js').Api, 'get'>} api
 * @param {string} sessionId
 * @param {{stay?: boolean}} [options]
 * @returns {Promise<Message[]>} those of all branches, oldest first
 */
export async function readMessages(api, sessionId, options) {
  /** @type {Message[]} */
  const messages = [];
  let next = '';
  do {
    const cursor = next && `&after=${encodeURIComponent(next)}`;
    const path = `/api/sessions/${sessionId}/messages?limit=${PAGE}${cursor}`;
    const page = await api.get(path, options);
    messages.push(...page.items);
    next = page.next ?? '';
  } while (next);
  return messages;
}

/**
 * Take in what is new or has ended since; what has not changed stays the object that it is, and so
 * keeps its element.
 * @param {import('./tree.js').MessageTree} tree @param {Message[]} messages
 */
export function merge(tree, messages) {
  for (const message of messages) {
    const known = tree.get(message.id);
    if (
      !known ||
      known.status !== message.status ||
      known.content.length !== message.content.length
    ) {
      tree.add(message);
    }
  }
}
