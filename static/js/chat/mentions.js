/**
 * `#` at the beginning of a word lists knowledge bases and their files; typing filters them by
 * name, Enter or a click makes one the documents that the chat answers from.
 *
 * @typedef {import('../types.js').Base} Base
 * @typedef {import('../types.js').StoredFile} StoredFile
 * @typedef {{base: Base, file?: StoredFile}} Choice
 */
import { clone, fill, find } from '../core/dom.js';
import { briefNote } from '../core/permission.js';
import { toastError } from '../ui/toast.js';
import { mountFieldMenu, type } from './field-menu.js';

const TYPED = /(?:^|[^\p{L}\p{N}#]|\p{Script=Han})#([^\s#]{0,80})$/u;
const MOST_FILES = 20;
const FILES_OF_A_BASE = 1000;

/**
 * @param {HTMLElement} form the composer
 * @param {{api: Pick<import('../net/api.js').Api, 'get'>, library: import('./library.js').Library}}
 *   deps
 */
export function mountMentions(form, { api, library }) {
  /** @type {Choice[]|null} null: not loaded since the list was opened */
  let files = null;
  /** @type {Choice[]} */ let offered = [];

  const typed = () => {
    const { input } = menu;
    return TYPED.exec(input.value.slice(0, input.selectionStart))?.[1];
  };

  const load = async () => {
    const found = library.bases.get().filter((base) => !base.bundled && base.files);
    const lists = await Promise.all(
      found.map(async (base) => {
        const path = `/api/knowledge/${base.id}/files?limit=${FILES_OF_A_BASE}`;
        const { items } = await api.get(path).catch(() => ({ items: [] })); // not shared any more
        return items
          .filter((/** @type {StoredFile} */ file) => file.md5 && file.status !== 'failed')
          .map((/** @type {StoredFile} */ file) => ({ base, file }));
      }),
    );
    return lists.flat();
  };

  const rows = async () => {
    if (typed() === undefined) return [];
    const known = (files ??= await load());
    const wanted = typed()?.toLowerCase();
    if (wanted === undefined) return [];
    const bases = library.bases.get().map((base) => ({ base }));
    offered = [
      ...bases.filter(({ base }) => base.name.toLowerCase().includes(wanted)),
      ...known.filter(({ file }) => file?.name.toLowerCase().includes(wanted)).slice(0, MOST_FILES),
    ];
    return offered.map(row);
  };

  /** @param {HTMLElement} chosen */
  const take = (chosen) => {
    const choice = offered[Number(chosen.dataset.mention)];
    const { input } = menu;
    const { value, selectionStart: caret } = input;
    const start = caret - (typed()?.length ?? 0) - 1;
    menu.close();
    type(input, value.slice(0, start) + value.slice(caret), start);
    library.chooseBase(choice.base.id, choice.file).catch(toastError);
  };

  const menu = mountFieldMenu(form, find(form, '[data-mentions]'), {
    rows,
    take,
    closed: () => (files = null),
  });
}

/** @param {Choice} choice @param {number} place */
function row({ base, file }, place) {
  const note = briefNote(base);
  const element = fill(clone('prompt'), {
    name: file?.name ?? base.name,
    note: file ? base.name : note,
  });
  element.removeAttribute('data-prompt');
  element.dataset.mention = String(place);
  element.id = `mention-${place}`;
  return element;
}
