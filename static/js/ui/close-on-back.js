/**
 * Close an overlay with the phone's Back button, where the browser supports CloseWatcher.
 *
 * @typedef {{onclose: (() => void)|null, destroy: () => void}} Watcher
 */

/**
 * @param {() => void} close
 * @returns {() => void} call it when the overlay is closed in another way
 */
export function closeOnBack(close) {
  const { CloseWatcher } = /** @type {Window & {CloseWatcher?: new () => Watcher}} */ (window);
  if (!CloseWatcher) return () => {};
  const watcher = new CloseWatcher();
  watcher.onclose = close;
  return () => watcher.destroy();
}
