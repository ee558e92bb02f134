/** Wires the chat page. */
import { mountAccount } from './account/settings.js';
import { Library } from './chat/library.js';
import { ChatPage } from './chat/page.js';
import { mountMentions } from './chat/mentions.js';
import { mountPickers } from './chat/pickers.js';
import { mountPrompts } from './chat/prompt-menu.js';
import { messageInAddress, sessionInAddress } from './core/address.js';
import { readConfig } from './core/config.js';
import { delegate, find, hideUnloaded } from './core/dom.js';
import { t } from './core/i18n.js';
import { once, loadStyle } from './core/lazy.js';
import { takeFlashMessage } from './core/storage.js';
import { mountFind } from './find/open.js';
import { mountKnowledge } from './knowledge/documents.js';
import { api } from './net/api.js';
import { SessionList } from './sessions/list.js';
import { mountDialogs } from './ui/dialog.js';
import { mountReveal } from './ui/reveal.js';
import { Sidebar } from './ui/sidebar.js';
import { toast, toastError } from './ui/toast.js';

async function start() {
  hideUnloaded();
  find(document, '[data-opening]').hidden = sessionInAddress() === null;
  const { limits } = readConfig();
  mountDialogs();
  mountReveal();
  const sidebar = new Sidebar();
  const { user, auth, signed_in_by: signedInBy, defaults } = await api.get('/api/auth/me');
  const library = new Library(api);
  const connect = mountConnect(library, user.role === 'admin');
  const useFromCode = mountCode(library, auth !== 'off');
  const sessions = new SessionList(find(document, '[data-sessions]'), {
    api,
    go: (id) => {
      sidebar.leave();
      void page.go(id);
    },
    code: (id) => {
      sidebar.leave();
      useFromCode(id);
    },
  });
  const knowledge = mountKnowledge({
    api,
    library,
    limit: limits.upload_bytes ?? null,
    take: (files) => page.pictures.accept(files),
    areTaken: (kinds) => page.pictures.accepts(kinds),
  });
  const page = new ChatPage({
    api,
    library,
    sessions,
    connect,
    mayConnect: user.role === 'admin',
    files: knowledge.files,
    documents: knowledge.add,
    show: knowledge.open,
  });
  mountAccount({
    api,
    user,
    defaults,
    accounts: auth !== 'off',
    signedInBy,
    imported: () => void sessions.load().catch(toastError),
  });
  mountPrompts(find(document, '[data-composer]'), { api });
  mountMentions(find(document, '[data-composer]'), { api, library });
  mountPickers(find(document, '[data-composer]'), {
    library,
    connect: () => connect(),
    manage: () => knowledge.open(),
    usePreset: (preset) => page.usePreset(preset),
    mayConnect: () => user.role === 'admin',
  });
  delegate(document, 'click', '[data-use-from-code]', () => useFromCode(page.sessionId));
  delegate(document, 'click', '[data-new-chat]', (_link, event) => {
    if (event instanceof MouseEvent && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    sidebar.leave();
    void page.go(null);
  });
  mountFind({
    api,
    current: () => page.sessionId,
    recent: (most) => sessions.recent(most),
    bases: () => library.bases.get(),
    goTo: (id, message) => {
      sidebar.leave();
      void page.go(id, { message });
    },
    openBase: knowledge.open,
  });
  await Promise.all([library.load().catch(toastError), sessions.load().catch(toastError)]);
  await page.go(sessionInAddress(), { push: false, message: messageInAddress() });
  const message = takeFlashMessage();
  if (message) toast(message);
  document.body.dataset.ready = '';
}

/** @param {Library} library @param {boolean} allowed @returns {(reason?: string) => void} */
function mountConnect(library, allowed) {
  const load = once(async () => {
    const [{ ConnectDialog }] = await Promise.all([
      import('./suppliers/connect.js'),
      loadStyle('connect'),
    ]);
    return new ConnectDialog({ api, library });
  });
  /** @param {string} [reason] */
  const connect = (reason) => {
    if (allowed) {
      void load().then(
        (dialog) => dialog.open(reason),
        () => toast(t('net.part_missing'), { stays: true }),
      );
    } else toast(t('connect.ask_admin'), { stays: true });
  };
  for (const button of document.querySelectorAll('[data-connect]')) {
    if (!(button instanceof HTMLElement)) continue;
    button.hidden = !allowed;
    button.addEventListener('click', () => connect());
  }
  return connect;
}

/**
 * @param {Library} library
 * @param {boolean} accounts
 * @returns {(id: string|null) => void} for a chat, null for a new one
 */
function mountCode(library, accounts) {
  const load = once(
    async () => new (await import('./chat/code.js')).CodeDialog({ api, library, accounts }),
  );
  return (id) =>
    void load()
      .then((dialog) => dialog.open(id))
      .catch(toastError);
}

start().catch(toastError);
