/** The dialog of presets: save what this chat uses, start with a preset, delete one. */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { confirm, dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';
import { modelName } from './pickers.js';

/** @typedef {import('../types.js').ChatPreset} ChatPreset */

export class PresetsDialog {
  #deps;
  #root = dialog('presets');
  #name = findAs(this.#root, '[data-preset-name]', HTMLInputElement);

  /**
   * @param {{api: import('../net/api.js').Api, library: import('./library.js').Library,
   *   settings: () => Promise<Partial<import('../types.js').ChatSettings>>,
   *   use: (preset: ChatPreset) => Promise<void>}} deps settings: of the chat that is shown
   */
  constructor(deps) {
    this.#deps = deps;
    findAs(this.#root, 'form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#save();
    });
    delegate(this.#root, 'click', '[data-preset-use]', (button) =>
      void this.#use(button.dataset.presetUse ?? '').catch(toastError),
    );
    delegate(this.#root, 'click', '[data-preset-delete]', (button) =>
      void this.#delete(button.dataset.presetDelete ?? '').catch(toastError),
    );
  }

  async open() {
    this.#name.value = '';
    this.#fault('');
    await this.#list();
    open(this.#root);
  }

  async #save() {
    const name = this.#name.value.trim();
    if (!name) {
      this.#name.focus();
      return this.#fault(t('presets.unnamed'));
    }
    const { api, library, settings } = this.#deps;
    const { model, base, bases = [base] } = library.choice.get();
    const body = { ...model, knowledge_base_id: bases.filter(Boolean), settings: await settings() };
    const same = library.presets.get().find((preset) => preset.name === name);
    try {
      if (same) {
        const sure = await confirm(t('presets.replace', { name }), t('presets.replace.yes'));
        if (!sure) return;
      }
      if (same) await api.patch(`/api/presets/${same.id}`, body);
      else await api.post('/api/presets', { ...body, name });
      this.#name.value = '';
      this.#fault('');
      announce(t('settings.saved'));
      await this.#list();
    } catch (error) {
      this.#fault(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} id */
  async #use(id) {
    const preset = this.#deps.library.presets.get().find((one) => one.id === id);
    if (!preset) return;
    await this.#deps.use(preset);
    this.#root.close();
  }

  /** @param {string} id */
  async #delete(id) {
    const { api, library } = this.#deps;
    const name = library.presets.get().find((preset) => preset.id === id)?.name ?? '';
    if (!(await confirm(t('presets.ask', { name }), t('session.delete')))) return;
    await api.delete(`/api/presets/${id}`);
    await this.#list();
  }

  async #list() {
    const { library } = this.#deps;
    await library.loadPresets();
    find(this.#root, '[data-preset-list]').replaceChildren(
      ...library.presets.get().map((preset) => {
        const row = fill(clone('saved-preset'), {
          name: preset.name,
          note: presetNote(library, preset),
        });
        find(row, '[data-preset-use]').dataset.presetUse = preset.id;
        const button = find(row, '[data-preset-delete]');
        button.dataset.presetDelete = preset.id;
        button.ariaLabel = t('prompts.delete_name', { name: preset.name });
        return row;
      }),
    );
  }

  /** @param {string} text */
  #fault(text) {
    showText(find(this.#root, '[data-preset-fault]'), text);
  }
}

/**
 * @param {import('./library.js').Library} library @param {ChatPreset} preset
 * @returns {string} its model, knowledge bases and system prompt
 */
export function presetNote(library, { supplier, model, knowledge_base_id: bases, settings }) {
  const names = [bases ?? []].flat().map((id) => library.base(id)?.name);
  const named = supplier && model ? modelName(library, { supplier, model }) : '';
  return [named, ...names, settings.system_prompt].filter(Boolean).join(' · ');
}
