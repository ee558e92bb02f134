/** The pickers of the composer: model and knowledge base. */
import { clone, fill, find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { briefNote, canManage } from '../core/permission.js';
import { mountMenu } from '../ui/menu.js';
import { monogram, ownMark } from '../ui/monogram.js';
import { toastError } from '../ui/toast.js';
import { renameInPlace } from './base-rename.js';

/**
 * @typedef {{value: string, label: string, note: string, chosen: boolean, mark?: Element,
 *   pick: () => void}} Option
 */
/** @typedef {import('../types.js').ChatPreset} ChatPreset */
/** @typedef {{hook: string, label: string, run: () => void}} Command */

/**
 * @param {HTMLElement} form
 * @param {{library: import('./library.js').Library, connect: () => void, manage: () => void,
 *   mayConnect: () => boolean, usePreset: (preset: ChatPreset) => Promise<void>}} deps
 */
export function mountPickers(form, { library, connect, manage, mayConnect, usePreset }) {
  const model = find(form, '[data-model-picker]');
  const base = find(form, '[data-knowledge-picker]');
  /** @param {Promise<void>} work */
  const quietly = (work) => void work.catch(toastError);
  mountPicker(
    model,
    () => [
      ...presetOptions(library, (preset) => quietly(usePreset(preset))),
      ...modelOptions(library, (offer) => quietly(library.chooseModel(offer))),
    ],
    () => (mayConnect() ? [{ hook: 'connect', label: t('connect.title'), run: connect }] : []),
  );
  mountPicker(
    base,
    () => baseOptions(library, (id) => quietly(library.chooseBase(id))),
    () => [
      ...renaming(base, library),
      { hook: 'manage', label: t('knowledge.manage'), run: manage },
    ],
  );
  const label = () => {
    showChosen(model, t('composer.model'), modelLabel(library));
    showMark(model, library);
    showChosen(
      base,
      t('composer.picker.knowledge'),
      library.coming.get()?.name || library.chosenNames || t(noNames(library)),
    );
  };
  const { choice, models, bases, coming } = library;
  for (const value of [choice, models, bases, coming]) value.subscribe(label);
}

/**
 * The label without names: the chat has no documents, or has lost those that it had.
 * @param {import('./library.js').Library} library
 */
const noNames = (library) =>
  library.choice.get().base && library.bases.get().length
    ? 'composer.documents_gone'
    : 'composer.no_documents';

/** @param {HTMLElement} root @param {() => Option[]} options @param {() => Command[]} commands */
function mountPicker(root, options, commands) {
  const list = find(root, '[role="menu"]');
  mountMenu(find(root, '[data-picker-button]'), list, {
    before: () =>
      list.replaceChildren(...options().map(optionElement), ...commands().map(commandElement)),
  });
}

/**
 * The command that renames the chosen base, unless that is read-only.
 * @param {HTMLElement} root @param {import('./library.js').Library} library @returns {Command[]}
 */
function renaming(root, library) {
  const { base: id, bases = [] } = library.choice.get();
  const base = library.base(id);
  if (!base || !canManage(base) || bases.length > 1 || library.coming.get()) return [];
  const run = () => renameInPlace(root, base, library);
  return [{ hook: 'renameBase', label: t('knowledge.rename'), run }];
}

/** @param {{supplier: string, builtin?: boolean}} offer */
const markOf = ({ supplier, builtin }) => (builtin ? ownMark() : monogram(supplier));

/** @param {HTMLElement} root @param {import('./library.js').Library} library */
function showMark(root, library) {
  const chosen = library.choice.get().model;
  const offer = library.models
    .get()
    .find(({ supplier, model }) => supplier === chosen?.supplier && model === chosen.model);
  const known = offer ?? chosen;
  if (known) find(root, '[data-picker-mark]').replaceChildren(markOf(known));
}

/** @param {HTMLElement} root @param {string} what @param {string} chosen */
function showChosen(root, what, chosen) {
  find(root, '[data-picker-label]').textContent = chosen;
  find(root, '[data-picker-button]').ariaLabel = t('composer.picker', { what, chosen });
}

/** @param {Option} option */
function optionElement({ value, label, note, chosen, mark, pick }) {
  const element = fill(clone('option'), { label, note });
  if (mark) element.prepend(mark);
  element.dataset.option = value;
  element.setAttribute('aria-checked', String(chosen));
  element.addEventListener('click', () => pick());
  return element;
}

/** @param {Command} command */
function commandElement({ hook, label, run }) {
  const element = fill(clone('command'), { label });
  element.dataset[hook] = '';
  element.addEventListener('click', () => run());
  return element;
}

/**
 * @param {import('./library.js').Library} library
 * @param {(preset: ChatPreset) => void} pick
 * @returns {Option[]}
 */
function presetOptions(library, pick) {
  return library.presets.get().map((preset) => ({
    value: preset.id,
    label: preset.name,
    note: t('presets.one'),
    chosen: false,
    mark: monogram(preset.name),
    pick: () => pick(preset),
  }));
}

/**
 * @param {import('./library.js').Library} library
 * @param {(model: import('../types.js').Model) => void} pick
 * @returns {Option[]}
 */
function modelOptions(library, pick) {
  const chosen = library.choice.get().model;
  return library.models.get().map((offer) => ({
    value: `${offer.supplier}/${offer.model}`,
    label: offer.builtin ? t('model.builtin') : offer.model,
    note: offer.builtin ? t('model.builtin.note') : offer.supplier,
    chosen: offer.supplier === chosen?.supplier && offer.model === chosen?.model,
    mark: markOf(offer),
    pick: () => pick(offer),
  }));
}

/**
 * @param {import('./library.js').Library} library
 * @param {(id: string|null) => void} pick
 * @returns {Option[]}
 */
function baseOptions(library, pick) {
  const { base: chosen, bases: several = [chosen] } = library.choice.get();
  const none = {
    value: '',
    label: t('composer.no_documents'),
    note: t('composer.no_documents.note'),
    chosen: !chosen,
    pick: () => pick(null),
  };
  const bases = library.bases.get().map((base) => ({
    value: base.id,
    label: base.name,
    note: briefNote(base),
    chosen: several.includes(base.id),
    pick: () => pick(base.id),
  }));
  return [...bases, none];
}

/** @param {import('./library.js').Library} library */
function modelLabel(library) {
  const { model } = library.choice.get();
  return model ? modelName(library, model) : t('composer.choose_model');
}

/**
 * @param {import('./library.js').Library} library
 * @param {{supplier: string, model: string}} model
 * @returns {string}
 */
export function modelName(library, model) {
  const offer = library.models
    .get()
    .find((one) => one.supplier === model.supplier && one.model === model.model);
  return offer?.builtin ? t('model.builtin') : model.model;
}
