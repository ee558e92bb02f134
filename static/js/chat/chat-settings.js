/**
 * The settings of one chat. What is left empty is as in the user's settings, which the fields show
 * as placeholders.
 */
import { find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';

/** @typedef {import('../types.js').ChatSettings} ChatSettings */
/** @typedef {import('../types.js').Defaults} Defaults */
/**
 * @typedef {{settings: Partial<ChatSettings>, defaults: Defaults,
 *   save: (settings: ChatSettings) => Promise<void>}} Opened
 */

export class ChatSettingsDialog {
  #root = dialog('chat-settings');
  #form = findAs(this.#root, 'form', HTMLFormElement);
  #fault = find(this.#root, '[data-chat-settings-fault]');
  #temperature = findAs(this.#root, '[data-chat-setting=temperature]', HTMLInputElement);
  #prompt = findAs(this.#root, '[data-chat-setting=system_prompt]', HTMLTextAreaElement);
  #length = findAs(this.#root, '[data-chat-setting=max_length]', HTMLInputElement);
  #documents = findAs(this.#root, '[data-chat-setting=documents_only]', HTMLSelectElement);
  /** @type {Opened['save']} */ #save = async () => {};

  constructor() {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    find(this.#root, '[data-chat-settings-reset]').addEventListener('click', () => this.#fill({}));
  }

  /** @param {Opened} opened */
  open({ settings, defaults, save }) {
    this.#save = save;
    this.#temperature.placeholder =
      defaults.temperature === null
        ? t('settings.temperature.own')
        : String(defaults.temperature);
    this.#prompt.placeholder = defaults.system_prompt || t('settings.system_prompt.example');
    this.#length.placeholder = String(defaults.max_length);
    this.#documents.options[0].text = t('chat.settings.default', {
      value: t(defaults.documents_only ? 'app.yes' : 'app.no'),
    });
    this.#fill(settings);
    open(this.#root);
  }

  /** @param {Partial<ChatSettings>} settings */
  #fill({ temperature, system_prompt, max_length, documents_only }) {
    this.#temperature.value = String(temperature ?? '');
    this.#prompt.value = system_prompt ?? '';
    this.#length.value = String(max_length ?? '');
    this.#documents.value = String(documents_only ?? '');
    this.#check();
  }

  async #submit() {
    if (!this.#check()) return;
    try {
      await this.#save({
        temperature: number(this.#temperature),
        system_prompt: this.#prompt.value.trim() || null,
        max_length: number(this.#length),
        documents_only: this.#documents.value ? this.#documents.value === 'true' : null,
      });
      this.#root.close();
    } catch (error) {
      showText(this.#fault, error instanceof Error ? error.message : String(error));
    }
  }

  /** @returns {boolean} whether all numbers are in their range; the first that is not is focused */
  #check() {
    const fields = [this.#temperature, this.#length];
    for (const field of fields) field.ariaInvalid = field.validity.valid ? null : 'true';
    const wrong = fields.find((field) => !field.validity.valid);
    const { step = '', min = '', max = '', dataset } = wrong ?? {};
    const key = step === '1' ? 'settings.range.whole' : 'settings.range';
    const name = t(`settings.${dataset?.chatSetting}`);
    showText(this.#fault, wrong ? t(key, { name, min, max }) : '');
    wrong?.focus();
    return !wrong;
  }
}

/** @param {HTMLInputElement} field @returns {number|null} */
const number = (field) => (field.value ? Number(field.value) : null);
