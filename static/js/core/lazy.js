/**
 * Lazy loading: parts of the page that load at first use or when the browser is idle.
 */

/** Delay in browsers without idle callbacks. */
const IDLE_MS = 2000;

/**
 * Run the work once and share its result; after a failure the next call runs it again.
 * @template T
 * @param {() => Promise<T>} work @returns {() => Promise<T>}
 */
export function once(work) {
  /** @type {Promise<T>|null} */
  let done = null;
  return () => {
    done ??= work().catch((error) => {
      done = null;
      throw error;
    });
    return done;
  };
}

/** @param {string} name of a style sheet @returns {Promise<void>} resolves when it is applied */
export function loadStyle(name) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = new URL(`../../css/${name}.css`, import.meta.url).href;
  document.head.append(link);
  return new Promise((resolve, reject) => {
    link.addEventListener('load', () => resolve());
    link.addEventListener('error', () => {
      link.remove();
      reject(new Error(name));
    });
  });
}

/** @param {() => Promise<unknown>} work may fail; it is run again on demand */
export function whenIdle(work) {
  const run = () => void work().catch(() => {});
  if ('requestIdleCallback' in window) requestIdleCallback(run);
  else setTimeout(run, IDLE_MS);
}
