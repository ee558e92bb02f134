/** Wires the chat page. */
import { mountAccount } from './account/settings.js';
import { Library } from './chat/library.js';
import { ChatPage, sessionInAddress } from './chat/page.js';
import { mountPickers } from './chat/pickers.js';
import { readConfig } from './core/config.js';
import { delegate, find, findAs } from './core/dom.js';
import { t } from './core/i18n.js';
import { KnowledgeDialog } from './knowledge/dialog.js';
import { mountDrop, mountPaste, Uploads } from './knowledge/uploads.js';
import { api } from './net/api.js';
import { SessionList } from './sessions/list.js';
import { ConnectDialog } from './suppliers/connect.js';
import { mountDialogs } from './ui/dialog.js';
import { Sidebar } from './ui/sidebar.js';
import { toast, toastError } from './ui/toast.js';

async function start() {
  readConfig();
  mountDialogs();
  const sidebar = new Sidebar();
  const { user, auth } = await api.get('/api/auth/me');
  const library = new Library(api);
  const connect = mountConnect(library, user.role === 'admin');
  const sessions = new SessionList(find(document, '[data-sessions]'), {
    api,
    go: (id) => {
      sidebar.leave();
      void page.go(id);
    },
  });
  const page = new ChatPage({ api, library, sessions, connect });
  mountAccount({ api, user, accounts: auth !== 'off' });
  mountDocuments(library, () => void connect(), user.role === 'admin');
  delegate(document, 'click', '[data-new-chat]', (_link, event) => {
    if (event instanceof MouseEvent && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    sidebar.leave();
    void page.go(null);
  });
  document.addEventListener('keydown', (event) => {
    if (!(event.shiftKey && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'o')) return;
    event.preventDefault();
    void page.go(null);
  });
  await Promise.all([library.load().catch(toastError), sessions.load().catch(toastError)]);
  await page.go(sessionInAddress(), { push: false });
  document.body.dataset.ready = '';
}

/** @param {Library} library @param {boolean} allowed @returns {(reason?: string) => void} */
function mountConnect(library, allowed) {
  const dialog = new ConnectDialog({ api, library });
  /** @param {string} [reason] */
  const connect = (reason) => {
    if (allowed) void dialog.open(reason);
    else toast(t('connect.ask_admin'), { stays: true });
  };
  for (const button of document.querySelectorAll('[data-connect]')) {
    if (!(button instanceof HTMLElement)) continue;
    button.hidden = !allowed;
    button.addEventListener('click', () => connect());
  }
  return connect;
}

/** @param {Library} library @param {() => void} connect @param {boolean} mayConnect */
function mountDocuments(library, connect, mayConnect) {
  const input = findAs(document, '[data-file-input]', HTMLInputElement);
  /** @type {string|null} */
  let target = null;
  const uploads = new Uploads(find(document, '[data-uploads]'), { api, library, changed: () => void knowledge.refresh() });
  const choose = (/** @type {string|null} */ base) => {
    target = base;
    input.click();
  };
  const knowledge = new KnowledgeDialog({ api, library, pick: choose });
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    input.value = '';
    if (target) uploads.addTo(target, files);
    else void uploads.add(files);
  });
  delegate(document, 'click', '[data-add-documents], [data-empty-add]', () => choose(null));
  delegate(document, 'click', '[data-open-knowledge]', () => knowledge.open());
  const add = (/** @type {File[]} */ files) => (knowledge.shown ? uploads.addTo(knowledge.shown, files) : void uploads.add(files));
  mountDrop(add);
  mountPaste(add);
  mountPickers(find(document, '[data-composer]'), { library, connect, manage: () => knowledge.open(), mayConnect: () => mayConnect });
}

start().catch(toastError);
