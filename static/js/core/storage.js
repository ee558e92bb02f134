/**
 * Local storage. Never throws: where storage is blocked or full, nothing is stored.
 */
import { ROOT } from './address.js';

/** Services on one origin, below different paths, share its storage. */
const PREFIX = `chatapp${ROOT}.`;
const CHATS_KEPT = 50;
const QUEUES = 'queues';
let closed = false;

/** @param {string} key @returns {any} */
export function readStored(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key) ?? 'null');
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value null removes it */
export function store(key, value) {
  if (closed) return;
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // A lost preference is harmless.
  }
}

/** Remove everything and ignore later writes: the page is about to be left. */
export function clearStorage() {
  closed = true;
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
      localStorage.removeItem(key);
    }
  } catch {
    // Nothing was stored.
  }
}

/** Leave a message for the next page in this tab. @param {string} text */
export function setFlashMessage(text) {
  try {
    sessionStorage.setItem(`${PREFIX}said`, text);
  } catch {
    // A lost message is harmless.
  }
}

/** @returns {string} the message left by the previous page; only the first call returns it */
export function takeFlashMessage() {
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
  document.cookie = `${name}=${value}; path=${ROOT || '/'}; max-age=${age}; samesite=lax`;
}

/**
 * @typedef {{text: string, id: string|null}} Draft text not yet accepted, and its client_message_id
 *   if it was sent
 */

/**
 * Unsent text of each chat; the least recently used are dropped.
 */
export const drafts = {
  /** @param {string} chat @returns {Draft} */
  read(chat) {
    const found = (readStored('drafts') ?? {})[chat];
    return { text: String(found?.text ?? ''), id: found?.id ?? null };
  },

  /** @param {string} chat @param {Draft} draft empty text removes it */
  write(chat, draft) {
    const all = readStored('drafts') ?? {};
    delete all[chat];
    if (draft.text) all[chat] = draft;
    store('drafts', Object.fromEntries(Object.entries(all).slice(-CHATS_KEPT)));
  },
};

/**
 * @typedef {{text: string, id: string, images: import('../types.js').Image[]}} Queued a question
 *   that waits; `id` is its client_message_id
 */

/**
 * The waiting questions of each chat; the chats used least recently are dropped.
 */
export const queued = {
  /** @param {string} chat @returns {Queued[]} in their order */
  read(chat) {
    return (readStored(QUEUES) ?? {})[chat] ?? [];
  },

  /** @param {string} chat @param {Queued[]} items */
  write(chat, items) {
    const all = readStored(QUEUES) ?? {};
    delete all[chat];
    if (items.length) all[chat] = items;
    store(QUEUES, Object.fromEntries(Object.entries(all).slice(-CHATS_KEPT)));
  },

  /** @param {() => void} listener */
  onChangedElsewhere(listener) {
    window.addEventListener('storage', ({ key }) => key === PREFIX + QUEUES && listener());
  },
};
