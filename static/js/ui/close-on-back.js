/**
 * What lies over the page is closed by the phone's Back, where the browser tells of it.
 *
 * @typedef {{onclose: (() => void)|null, destroy: () => void}} Watcher
 */

/**
 * @param {() => void} close
 * @returns {() => void} to be called when it is closed by anything else
 */
export function closeOnBack(close) {
  const { CloseWatcher } = /** @type {Window & {CloseWatcher?: new () => Watcher}} */ (window);
  if (!CloseWatcher) return () => {};
  const watcher = new CloseWatcher();
  watcher.onclose = close;
  return () => watcher.destroy();
}
