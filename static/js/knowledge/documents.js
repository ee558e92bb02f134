/**
 * Wires uploads and the knowledge dialog. Both are loaded lazily: uploads when the browser is idle,
 * the dialog at first use.
 */
import { delegate, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { once, loadStyle, whenIdle } from '../core/lazy.js';
import { canWrite } from '../core/permission.js';
import { toastError } from '../ui/toast.js';
import { chosen, mountDrop, mountPaste } from './drop.js';

const STYLES = ['knowledge', 'knowledge-files', 'knowledge-search'];

/** @typedef {import('./dialog.js').KnowledgeDialog} KnowledgeDialog */
/** @typedef {import('./intake.js').Intake} Intake */
/** @typedef {import('./drop.js').Found} Found */
/**
 * @typedef {(base?: string, file?: string, at?: import('../types.js').Source) => void} Open shows a
 *   base, a file of it, a passage of that
 */
/**
 * @typedef {{unsent: (base: string) => number, tidy: () => void,
 *   subscribe: (listener: () => void) => void}} PendingUploads the uploads in progress
 */

/**
 * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library,
 *   limit: number|null, take: (files: Found[]) => Found[],
 *   areTaken: (kinds: string[]) => boolean}} deps take: returns the files that are not for the
 *   question
 * @returns {{files: PendingUploads, open: Open, add: (files: File[]) => void}}
 */
export function mountKnowledge({ api, library, limit, take, areTaken }) {
  /** @type {Intake|null} */ let intake = null;
  /** @type {KnowledgeDialog|null} */ let dialog = null;
  /** @type {(() => void)[]} */ const listeners = [];
  const loadIntake = once(async () => {
    const { mountIntake } = await import('./intake.js');
    intake = mountIntake(find(document, '[data-uploads]'), { api, library, limit, open });
    for (const listener of listeners) intake.queue.subscribe(listener);
    return intake;
  });
  const load = once(async () => {
    const [{ KnowledgeDialog: Dialog }, { queue }] = await Promise.all([
      import('./dialog.js'),
      loadIntake(),
      ...STYLES.map(loadStyle),
    ]);
    dialog = new Dialog({ api, library, queue, pick });
    return dialog;
  });
  /** @type {Open} */
  const open = (base, file, at) =>
    void load().then((shown) => shown.open(base, file, at), unreachable);
  /** Pictures are for the question, unless a dialog is open. @param {Found[]} files */
  const documentsOf = (files) => (document.querySelector('dialog[open]') ? files : take(files));
  const pick = mountPicker(
    (files, base) => {
      const rest = base ? files : documentsOf(files);
      if (!rest.length && files.length) return;
      void loadIntake().then(
        (into) => (base ? into.addTo(base, rest) : into.addToChat(rest)),
        unreachable,
      );
    },
  );
  delegate(document, 'click', '[data-add-documents], [data-empty-add]', () => pick(null, false));
  delegate(document, 'click', '[data-open-knowledge]', () => open());
  delegate(document, 'pointerover', '[data-open-knowledge]', () => void load().catch(() => {}));
  const add = (/** @type {Found[]} */ files, /** @type {string|null} */ base) => {
    const rest = base ? files : documentsOf(files);
    if (!rest.length && files.length) return;
    void loadIntake().then((into) => addDropped(into, dialog, rest, base), unreachable);
  };
  mountDrop({
    add,
    words: (base, kinds) =>
      !base && areTaken(kinds) ? t('documents.drop.pictures') : dropWords(library, base),
  });
  mountPaste((files) => add(files, null));
  whenIdle(loadIntake);
  return {
    open,
    add: (files) =>
      void loadIntake().then(
        (into) => into.addToChat(files.map((file) => ({ file, path: '' }))),
        unreachable,
      ),
    files: {
      unsent: (base) => intake?.queue.unsent(base) ?? 0,
      tidy: () => intake?.queue.tidy(),
      subscribe: (listener) =>
        void (intake ? intake.queue.subscribe(listener) : listeners.push(listener)),
    },
  };
}

/**
 * Add dropped or pasted files to the base under them, the base shown, or the chat.
 * @param {Intake} intake
 * @param {KnowledgeDialog|null} dialog
 * @param {Found[]} files
 * @param {string|null} base the base they were dropped on
 */
async function addDropped(intake, dialog, files, base) {
  const target = base ?? dialog?.shown ?? null;
  if (target) {
    intake.addTo(target, files);
    if (dialog?.isOpen) dialog.show(target);
  } else if (!document.querySelector('dialog[open]')) await intake.addToChat(files);
  else if (dialog?.isOpen) {
    const made = await intake.addToNew(files);
    if (made) dialog.show(made);
  }
}

/** A lazy module could not be loaded. */
const unreachable = () => toastError(new Error(t('net.part_missing')));

/**
 * @param {import('../chat/library.js').Library} library
 * @param {string|null} base the base under the pointer
 */
function dropWords(library, base) {
  const target = library.base(base ?? library.choice.get().base);
  return target && canWrite(target)
    ? t('documents.drop.base', { name: target.name })
    : t('documents.drop.new');
}

/**
 * Wire the browser's file and folder choosers.
 * @param {(files: Found[], base: string|null) => void} add
 * @returns {(base: string|null, folder: boolean) => void}
 */
function mountPicker(add) {
  const files = findAs(document, '[data-file-input]', HTMLInputElement);
  const folder = findAs(document, '[data-folder-input]', HTMLInputElement);
  /** @type {string|null} */ let target = null;
  for (const input of [files, folder]) {
    input.addEventListener('change', () => {
      const found = chosen(input.files ?? []);
      input.value = '';
      add(found, target);
      target = null;
    });
    input.addEventListener('cancel', () => {
      target = null;
    });
  }
  return (base, whole) => {
    target = base;
    (whole ? folder : files).click();
  };
}
