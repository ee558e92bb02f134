/**
 * Lazy loading: parts of the page that load at first use or when the browser is idle.
 */
import { STATIC } from './address.js';
import { t } from './i18n.js';

/** Delay in browsers without idle callbacks. */
const IDLE_MS = 2000;

/**
 * Run the work once and share its result; after a failure the next call runs it again. Modules that
 * cannot be loaded are an error with a sentence: after an update of the service they are gone.
 * @template T
 * @param {() => Promise<T>} work @returns {() => Promise<T>}
 */
export function once(work) {
  /** @type {Promise<T>|null} */
  let done = null;
  return () => {
    done ??= work().catch((error) => {
      done = null;
      throw isMissingModule(error) ? new Error(t('net.part_missing')) : error;
    });
    return done;
  };
}

/** @param {unknown} error @returns {boolean} in the words of all browsers */
const isMissingModule = (error) =>
  error instanceof TypeError && /import|module/i.test(error.message);

/** @param {string} name of a style sheet @returns {Promise<void>} resolves when it is applied */
export function loadStyle(name) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = `${STATIC}css/${name}.css`;
  document.head.append(link);
  return new Promise((resolve, reject) => {
    link.addEventListener('load', () => resolve());
    link.addEventListener('error', () => {
      link.remove();
      reject(new Error(t('net.part_missing')));
    });
  });
}

/** @param {() => Promise<unknown>} work may fail; it is run again on demand */
export function whenIdle(work) {
  const run = () => void work().catch(() => {});
  if ('requestIdleCallback' in window) requestIdleCallback(run);
  else setTimeout(run, IDLE_MS);
}
