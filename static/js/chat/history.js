/**
 * Reads the messages of a chat from the server and merges them into a tree.
 */

/** @typedef {import('../types.js').Message} Message */

const PAGE = 200;

/**
 * @param {Pick<import('../net/api.js').Api, 'get'>} api
 * @param {string} sessionId
 * @param {{background?: boolean}} [options]
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
 * Add messages that are new or have ended. Unchanged ones keep their object, and so their element.
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
