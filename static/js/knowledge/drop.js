/**
 * Files dropped on the page, single or in folders, and pasted files.
 */
import { find } from '../core/dom.js';
import { toastError } from '../ui/toast.js';

/**
 * @typedef {{file: File, path: string}} Found a file and its path in a dropped folder, empty
 *   without one
 * @typedef {{isFile: boolean, isDirectory: boolean, name: string, fullPath: string,
 *   file?: (done: (file: File) => void, failed: (error: unknown) => void) => void,
 *   createReader?: () => {readEntries: (done: (entries: Entry[]) => void,
 *   failed: (error: unknown) => void) => void}}} Entry
 */

/** Hidden and system files, which are skipped in folders. */
const CLUTTER = /^(\..*|~\$.*|thumbs\.db|desktop\.ini|__macosx|node_modules)$/i;
/** The limit of one drop; more is likely a mistake. */
export const MOST_FILES = 5000;

/**
 * Accept files dropped anywhere on the page.
 * @param {{add: (files: Found[], base: string|null) => void,
 *   words: (base: string|null, kinds: string[]) => string}} deps `base` is the `data-drop-base`
 *   that they were dropped on; `kinds` the media types of the files
 */
export function mountDrop({ add, words }) {
  const veil = find(document, '[data-drop-veil]');
  /** @type {HTMLElement|null} */ let over = null;
  const leave = () => {
    veil.hidden = true;
    over?.removeAttribute('data-drop-over');
    over = null;
  };
  document.addEventListener('dragover', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    const target =
      event.target instanceof Element ? event.target.closest('[data-drop-base]') : null;
    if (target === over && (over || !veil.hidden)) return;
    leave();
    over = target instanceof HTMLElement ? target : null;
    const kinds = [...(event.dataTransfer?.items ?? [])].map((item) => item.type);
    over?.setAttribute('data-drop-over', words(baseOf(over), kinds));
    veil.hidden = over !== null || document.querySelector('dialog[open]') !== null;
    find(veil, '[data-drop-words]').textContent = words(null, kinds);
  });
  document.addEventListener('dragleave', (event) => event.relatedTarget === null && leave());
  document.addEventListener('drop', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const base = baseOf(over);
    leave();
    void dropped(event.dataTransfer).then((files) => add(files, base), toastError);
  });
}

/** @param {HTMLElement|null} element */
const baseOf = (element) => element?.dataset.dropBase || null;

/** @param {DragEvent} event */
const carriesFiles = (event) => event.dataTransfer?.types.includes('Files') ?? false;

/**
 * Read the dropped items; their list is only valid during the event.
 * @param {DataTransfer|null} data
 * @returns {Promise<Found[]>}
 */
async function dropped(data) {
  const entries = [...(data?.items ?? [])].map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...(data?.files ?? [])];
  if (!entries.some((entry) => entry?.isDirectory)) {
    return plain.map((file) => ({ file, path: '' }));
  }
  return filesOf(/** @type {Entry[]} */ (entries.filter((entry) => entry !== null)));
}

/**
 * Return the files of entries, without hidden ones in folders; at most MOST_FILES + 1.
 * @param {Entry[]} entries @returns {Promise<Found[]>}
 */
export async function filesOf(entries) {
  /** @type {Found[]} */
  const files = [];
  const open = entries.map((entry) => ({ entry, inside: false }));
  for (let next = open.shift(); next && files.length <= MOST_FILES; next = open.shift()) {
    const { entry, inside } = next;
    if (inside && CLUTTER.test(entry.name)) continue;
    if (entry.isDirectory) {
      open.unshift(...(await children(entry)).map((child) => ({ entry: child, inside: true })));
    } else {
      files.push({
        file: await fileOf(entry),
        path: inside ? entry.fullPath.replace(/^\/+/, '') : '',
      });
    }
  }
  return files;
}

/** @param {Entry} entry @returns {Promise<File>} */
const fileOf = (entry) => new Promise((resolve, reject) => entry.file?.(resolve, reject));

/**
 * A directory reader returns batches until one is empty.
 * @param {Entry} folder
 * @returns {Promise<Entry[]>}
 */
async function children(folder) {
  const reader = folder.createReader?.();
  /** @type {Entry[]} */
  const all = [];
  for (;;) {
    const some = await new Promise((/** @type {(entries: Entry[]) => void} */ resolve, reject) =>
      reader?.readEntries(resolve, reject),
    );
    if (!some.length || all.length > MOST_FILES) {
      return all.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    }
    all.push(...some);
  }
}

/**
 * Files of an input; a folder's come with their path.
 * @param {Iterable<File>} files
 * @returns {Found[]}
 */
export function chosen(files) {
  return [...files]
    .map((file) => ({ file, path: file.webkitRelativePath ?? '' }))
    .filter(
      ({ path }) =>
        !path
          .split('/')
          .slice(1)
          .some((part) => CLUTTER.test(part)),
    );
}

/**
 * Accept pasted files, except an image that accompanies pasted text.
 * @param {(files: Found[]) => void} add
 */
export function mountPaste(add) {
  document.addEventListener('paste', (event) => {
    const data = event.clipboardData;
    const files = [...(data?.files ?? [])];
    if (!files.length || data?.types.includes('text/plain')) return;
    event.preventDefault();
    add(files.map((file) => ({ file, path: '' })));
  });
}
