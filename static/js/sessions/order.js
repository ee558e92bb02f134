/**
 * The chats that were loaded, in the server's order: pinned ones first, then by latest activity.
 * Pure.
 *
 * @typedef {import('../types.js').Session} Session
 * @typedef {{sessions: Session[], next: string|null}} Loaded next: the cursor of the next page
 */

/**
 * Put a new first page in place of the old one. What follows it stays, so that the list keeps its
 * length and place; unless chats may be missing in between.
 * @param {{items: Session[], next?: string|null}} page @param {Loaded} before @returns {Loaded}
 */
export function refreshed({ items, next = null }, before) {
  const last = items.at(-1);
  const at = before.sessions.findIndex(
    (one) => one.id === last?.id && one.updated_at === last?.updated_at,
  );
  if (!next || at < 0) return { sessions: items, next };
  const tail = without(before.sessions.slice(at + 1), items);
  return tail.length
    ? { sessions: [...items, ...tail], next: before.next }
    : { sessions: items, next };
}

/**
 * @param {Session[]} sessions @param {Session[]} others @returns {Session[]} those not in `others`
 */
export function without(sessions, others) {
  const ids = new Set(others.map(({ id }) => id));
  return sessions.filter(({ id }) => !ids.has(id));
}

/** @param {Session[]} sessions @returns {Session[]} sorted after one of them has changed */
export function ordered(sessions) {
  return sessions
    .map((session) => ({ session, time: Date.parse(session.updated_at) }))
    .sort(
      (a, b) =>
        Number(b.session.pinned ?? false) - Number(a.session.pinned ?? false) || b.time - a.time,
    )
    .map(({ session }) => session);
}
