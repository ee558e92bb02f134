/** Which knowledge bases the empty page offers. Pure. */

/** @typedef {import('../types.js').Base} Base */

/** @param {readonly Base[]} bases @returns {Base[]} the user's own in which something is found */
export const withDocuments = (bases) => bases.filter((base) => !base.bundled && base.chunks > 0);

/**
 * The bases of the latest chats first, then the newest ones.
 * @param {readonly Base[]} bases oldest first
 * @param {readonly {knowledge_base_id?: string|string[]|null}[]} sessions latest first
 * @param {number} most @returns {Base[]}
 */
export function recentBases(bases, sessions, most) {
  const used = sessions.flatMap(({ knowledge_base_id: ids }) => ids ?? []);
  const newest = withDocuments(bases).reverse();
  const rank = (/** @type {Base} */ { id }) => {
    const at = used.indexOf(id);
    return at < 0 ? used.length : at;
  };
  return newest.sort((a, b) => rank(a) - rank(b)).slice(0, most);
}
