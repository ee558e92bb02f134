/**
 * Opens the palette and the list of keys; both load at first use. The palette's field is there at
 * once, so that nothing that is typed meanwhile is lost.
 */
import { delegate, find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { loadStyle, once } from '../core/lazy.js';
import { dialog, open } from '../ui/dialog.js';
import { keyLabels, mountShortcuts } from '../ui/shortcuts.js';
import { toast } from '../ui/toast.js';

/**
 * @typedef {object} Deps
 * @property {Pick<import('../net/api.js').Api, 'get'>} api
 * @property {() => string|null} current the chat that is shown
 * @property {(most: number) => import('../types.js').Session[]} recent the latest other chats
 * @property {() => import('../types.js').Base[]} bases
 * @property {(session: string, message: string|null) => void} goTo
 * @property {(base: string) => void} openBase
 */

/** @param {Deps} deps */
export function mountFind(deps) {
  const palette = dialog('find');
  const style = once(() => loadStyle('find'));
  const loadPalette = once(async () => {
    const [{ Palette }] = await Promise.all([import('./palette.js'), style()]);
    return new Palette(palette, deps);
  });
  const loadKeys = once(async () => {
    const [{ showKeys }] = await Promise.all([import('./keys.js'), style()]);
    showKeys(dialog('keys'));
  });
  const search = () => {
    if (palette.open) return palette.close();
    if (isBusy()) return;
    open(palette);
    find(palette, '[data-find-field]').focus();
    loadPalette().then(
      (loaded) => loaded.enter(),
      () => unreachable(palette),
    );
  };
  const keys = () => {
    if (isBusy() && !palette.open) return;
    palette.close();
    loadKeys().then(
      () => open(dialog('keys')),
      () => unreachable(palette),
    );
  };
  find(document, '[data-find]').title = keyLabels(['Mod', 'K']).join(' ');
  delegate(document, 'click', '[data-find]', search);
  delegate(document, 'click', '[data-open-keys]', keys);
  delegate(document, 'pointerover', '[data-find]', () => void loadPalette().catch(() => {}));
  mountShortcuts([
    { keys: ['Mod', 'K'], run: search },
    { keys: ['Mod', '/'], run: keys },
    { keys: ['?'], run: keys },
    {
      keys: ['Mod', 'Shift', 'O'],
      run: () => isBusy() || find(document, '[data-new-chat]').click(),
    },
  ]);
}

/** Another dialog is open. */
const isBusy = () => document.querySelector('dialog[open]') !== null;

/** @param {HTMLDialogElement} palette */
function unreachable(palette) {
  palette.close();
  toast(t('net.part_missing'), { stays: true });
}
