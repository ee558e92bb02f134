/**
 * The sign-in page: a one-time link or name and password; after the first link, a password form.
 */
import { setLanguage } from './account/settings.js';
import { fromRoot } from './core/address.js';
import { readConfig } from './core/config.js';
import { delegate, find, findAs, hideUnloaded, showText } from './core/dom.js';
import { t } from './core/i18n.js';
import { api } from './net/api.js';
import { mountReveal } from './ui/reveal.js';

/** @param {string} hook */
const field = (hook) => findAs(document, hook, HTMLInputElement);

/** The page to open after signing in: only paths of chats are allowed. */
function destination() {
  const next = new URLSearchParams(location.search).get('next') ?? '/';
  return fromRoot(/^\/c\/[0-9a-f-]{36}$/i.test(next) ? next : '/');
}

/** Replace the history entry, so that Back does not return here. */
const enter = () => location.replace(destination());

/** @param {'link'|'form'|'password'} step */
function show(step) {
  for (const section of document.querySelectorAll('[data-step]')) {
    if (section instanceof HTMLElement) section.hidden = section.dataset.step !== step;
  }
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
  const problem = find(document, '[data-problem]');
  showText(problem, '');
  try {
    await work();
  } catch (error) {
    showText(problem, error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} link */
async function useLink(link) {
  const { user } = await api.post('/api/auth/login', { link }).catch((error) => {
    if (error.code === 'unauthorized') show('form');
    throw error;
  });
  history.replaceState(null, '', location.pathname + location.search);
  if (user.has_password) return enter();
  field('[data-first-name]').value = user.name ?? '';
  if (user.name === null) askForName();
  show('password');
  field(user.name === null ? '[data-first-name]' : '[data-new-password]').focus();
}

const choosesName = () => !find(document, '[data-first-name-row]').ariaHidden;

/** Show the field of the name, which is else there for password managers only. */
function askForName() {
  const row = find(document, '[data-first-name-row]');
  row.classList.remove('visually-hidden');
  row.removeAttribute('aria-hidden');
  field('[data-first-name]').removeAttribute('tabindex');
  find(document, '[data-first-lead]').textContent = t('sign_in.first.invited');
  find(document, '[data-skip]').hidden = true;
}

function start() {
  hideUnloaded();
  readConfig();
  mountReveal();
  // A browser keeps the fragment of an address that was redirected here.
  const isPlace = /^#(page|passage)=/.test(location.hash);
  const link = isPlace ? '' : decodeURIComponent(location.hash.slice(1));
  // A signed-in user with a link still sees this page: the link may be for another account.
  if (!link && 'signedIn' in document.body.dataset) return enter();
  show(link ? 'link' : 'form');
  find(document, '[data-link-go]').addEventListener(
    'click',
    () => void attempt(() => useLink(link)),
  );
  find(document, '[data-login]').addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      await api.post('/api/auth/login', {
        name: field('[data-name]').value.trim(),
        password: field('[data-login-password]').value,
      });
      enter();
    });
  });
  find(document, '[data-first-password]').addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      if (choosesName()) {
        await api.patch('/api/auth/me', { name: field('[data-first-name]').value });
      }
      await api.put('/api/auth/password', { password: field('[data-new-password]').value });
      enter();
    });
  });
  find(document, '[data-skip]').addEventListener('click', enter);
  delegate(document, 'click', '[data-set-language]', (button) =>
    setLanguage(button.dataset.setLanguage ?? 'en'),
  );
  window.addEventListener('hashchange', () => location.reload());
  if (!link && !document.querySelector('[data-provider]')) field('[data-login-password]').focus();
  document.body.dataset.ready = '';
}

start();
