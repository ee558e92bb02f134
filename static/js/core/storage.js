/**
 * What this browser remembers. It never throws: private windows and full disks only forget.
 */
const PREFIX = 'chatapp.';
const DRAFTS_KEPT = 50;
let closed = false;

/** @param {string} key @returns {any} */
export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key) ?? 'null');
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value null forgets */
export function remember(key, value) {
  if (closed) return;
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Only comfort is lost.
  }
}

/** Forget everything, and take no more notes: the page is about to be left. */
export function forgetAll() {
  closed = true;
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
      localStorage.removeItem(key);
    }
  } catch {
    // Nothing was remembered.
  }
}

/** Leave a sentence for the page that comes next in this tab. @param {string} text */
export function leaveMessage(text) {
  try {
    sessionStorage.setItem(`${PREFIX}said`, text);
  } catch {
    // Nobody hears of it.
  }
}

/** @returns {string} what the page before has left; once */
export function takeMessage() {
  try {
    const text = sessionStorage.getItem(`${PREFIX}said`) ?? '';
    sessionStorage.removeItem(`${PREFIX}said`);
    return text;
  } catch {
    return '';
  }
}

/** @param {string} name @param {string} value empty removes it */
export function setCookie(name, value) {
  const age = value ? 31_536_000 : 0;
  document.cookie = `${name}=${value}; path=/; max-age=${age}; samesite=lax`;
}

/**
 * @typedef {{text: string, id: string|null}} Draft text not yet accepted, and the name under which
 *   it was sent if it was
 */

/**
 * Unsent text, one for each chat, the least recently used forgotten first.
 */
export const drafts = {
  /** @param {string} chat @returns {Draft} */
  read(chat) {
    const found = (recall('drafts') ?? {})[chat];
    return { text: String(found?.text ?? ''), id: found?.id ?? null };
  },

  /** @param {string} chat @param {Draft} draft empty text forgets */
  write(chat, draft) {
    const all = recall('drafts') ?? {};
    delete all[chat];
    if (draft.text) all[chat] = draft;
    remember('drafts', Object.fromEntries(Object.entries(all).slice(-DRAFTS_KEPT)));
  },
};
