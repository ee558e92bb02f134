/** Opens the dialogs of use, figures and the audit log, which load on demand. */
import { delegate, find } from '../core/dom.js';
import { loadStyle, once } from '../core/lazy.js';
import { toastError } from '../ui/toast.js';

/**
 * @param {HTMLDialogElement} root the settings, which close when one of them opens
 * @param {{api: import('../net/api.js').Api, isAdmin: boolean, accounts: boolean}} deps
 */
export function mountReports(root, { api, isAdmin, accounts }) {
  const style = once(() => loadStyle('reports'));
  const usage = once(async () => {
    const [{ UsageDialog }] = await Promise.all([import('./usage.js'), style()]);
    return new UsageDialog({ api, hasPeople: isAdmin && accounts });
  });
  const audit = once(async () => {
    const [{ AuditDialog }] = await Promise.all([import('./audit.js'), style()]);
    return new AuditDialog({ api });
  });
  const metrics = once(async () => {
    const [{ MetricsDialog }] = await Promise.all([import('./metrics.js'), style()]);
    return new MetricsDialog({ api });
  });
  find(root, '[data-audit-section]').hidden = !isAdmin;
  find(root, '[data-metrics-section]').hidden = !isAdmin;
  for (const [hook, load] of /** @type {const} */ ([
    ['[data-open-usage]', usage],
    ['[data-open-audit]', audit],
    ['[data-open-metrics]', metrics],
  ])) {
    delegate(root, 'click', hook, () => {
      void load()
        .then(async (dialog) => {
          await dialog.open();
          root.close();
        })
        .catch(toastError);
    });
  }
}
