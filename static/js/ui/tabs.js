/** Tabs with arrow keys, as in the ARIA practices. The caller shows the panels. */

/**
 * @param {HTMLElement} list with `[role=tab][data-tab]` @param {(name: string) => void} chosen
 * @returns {{select: (name: string) => void}}
 */
export function mountTabs(list, chosen) {
  const tabs = [...list.querySelectorAll('[role="tab"]')].filter(
    (tab) => tab instanceof HTMLElement,
  );
  const select = (/** @type {string} */ name) => {
    for (const tab of tabs) {
      const on = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
  };
  for (const tab of tabs) tab.addEventListener('click', () => chosen(tab.dataset.tab ?? ''));
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab === document.activeElement);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  return { select };
}
