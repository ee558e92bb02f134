/**
 * Parts of the page that are read when they are first wanted, or when there is nothing else to do.
 */

/** How long a browser without idle callbacks is left alone. */
const IDLE_MS = 2000;

/**
 * Do the work once, however often it is asked for; after a failure it is done again.
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

/** @param {string} name of a style sheet @returns {Promise<void>} when it is in force */
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

/** @param {() => Promise<unknown>} work may fail: whoever needs it asks again */
export function whenIdle(work) {
  const run = () => void work().catch(() => {});
  if ('requestIdleCallback' in window) requestIdleCallback(run);
  else setTimeout(run, IDLE_MS);
}
