/**
 * Loads the view of a document's pages (page-view.js and its style) when it is first needed.
 */
import { find } from '../core/dom.js';
import { loadStyle, once } from '../core/lazy.js';

/** @typedef {import('./page-view.js').Shown} Shown */

const load = once(async () => {
  const [{ PageView }] = await Promise.all([import('./page-view.js'), loadStyle('page-view')]);
  return PageView;
});

/**
 * @param {HTMLElement} root with `[data-page-view]`
 * @param {HTMLElement} text shown instead of pages
 * @returns {(shown: Shown|null) => void} shows the pages of a file at a passage; null: none
 */
export function pageViewIn(root, text) {
  /** @type {import('./page-view.js').PageView|null} */ let view = null;
  /** @type {Shown|null} */ let wanted = null;
  return (shown) => {
    wanted = shown;
    if (view) void view.show(shown);
    else if (shown) void load().then(begin, () => {}); // the text is there
  };

  /** @param {typeof import('./page-view.js').PageView} PageView */
  function begin(PageView) {
    view ??= new PageView(find(root, '[data-page-view]'), text);
    void view.show(wanted);
  }
}
