/** Settings, Your data: how much is stored and where, and deleting all of it. */
import { fromRoot } from '../core/address.js';
import { find, findAs, showText } from '../core/dom.js';
import { size } from '../core/format.js';
import { count, currentLanguage, t } from '../core/i18n.js';
import { clearStorage, setFlashMessage } from '../core/storage.js';
import { confirm } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';

/** @typedef {import('../types.js').Stored} Stored */

const WHERE = {
  sqlite: 'settings.data.where.sqlite',
  postgresql: 'settings.data.where.postgresql',
};

/**
 * @param {HTMLElement} root @param {{api: import('../net/api.js').Api, accounts: boolean}} deps
 * @returns {() => Promise<void>} loads and shows the amounts
 */
export function mountStoredData(root, { api, accounts }) {
  const button = findAs(root, '[data-delete-all]', HTMLButtonElement);

  const show = async () => {
    /** @type {Stored} */
    const stored = await api.get('/api/auth/me/stored');
    const what = parts(stored);
    find(root, '[data-stored]').textContent = what.length
      ? t('settings.data.stored', { what: listed(what) })
      : t('settings.data.none');
    showText(
      find(root, '[data-home]'),
      stored.home && t(WHERE[stored.database ?? 'sqlite'], { home: stored.home }),
    );
    showText(
      find(root, '[data-embedder]'),
      stored.embedder && t('settings.data.embedder', { name: stored.embedder }),
    );
    showText(
      find(root, '[data-reranker]'),
      stored.reranker && t('settings.data.reranker', { name: stored.reranker }),
    );
  };

  const remove = async () => {
    if (
      !(await confirm(
        warning(await api.get('/api/auth/me/stored'), accounts),
        t('settings.data.yes'),
      ))
    ) {
      return;
    }
    await api.delete('/api/auth/me/data');
    reloadPage();
  };

  button.addEventListener('click', async () => {
    button.disabled = true;
    await remove().catch(toastError);
    button.disabled = false;
  });
  return show;
}

/**
 * Reload without drafts, bypassing the back/forward cache.
 */
function reloadPage() {
  clearStorage();
  setFlashMessage(t('settings.data.deleted'));
  window.addEventListener('pageshow', (event) => event.persisted && location.reload());
  location.assign(fromRoot('/'));
}

/** @param {Stored} stored @param {boolean} accounts @returns {string} */
function warning(stored, accounts) {
  const what = listed([
    ...parts(stored),
    t('settings.data.ask.tokens'),
    t('settings.data.ask.answers'),
  ]);
  return t(accounts ? 'settings.data.ask' : 'settings.data.ask.shared', { what });
}

/** @param {Stored} stored @returns {string[]} the non-zero amounts, as text */
function parts({ chats, messages, knowledge_bases, files, file_bytes }) {
  const bases = count('settings.data.bases', knowledge_bases);
  const read = { bases, files: count('settings.data.files', files), size: size(file_bytes) };
  return [
    chats
      ? t('settings.data.chats', {
          chats: count('settings.data.chats', chats),
          messages: count('settings.data.messages', messages),
        })
      : '',
    knowledge_bases ? (files ? t('settings.data.bases', read) : bases) : '',
  ].filter(Boolean);
}

/** @param {string[]} what @returns {string} */
const listed = (what) =>
  new Intl.ListFormat(currentLanguage(), { type: 'conjunction' }).format(what);
