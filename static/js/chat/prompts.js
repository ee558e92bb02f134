/** The dialog of saved prompts: list, add, change, delete. */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { confirm, dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';

/** @typedef {import('./prompt-menu.js').Prompt} Prompt */

export class PromptsDialog {
  #api;
  #root = dialog('prompts');
  #form = findAs(this.#root, 'form', HTMLFormElement);
  #name = findAs(this.#root, '[data-prompt-name]', HTMLInputElement);
  #text = findAs(this.#root, '[data-prompt-text]', HTMLTextAreaElement);
  #cancel = find(this.#root, '[data-prompt-cancel]');
  /** @type {Prompt[]} */ #prompts = [];
  #id = '';

  /** @param {{api: import('../net/api.js').Api}} deps */
  constructor({ api }) {
    this.#api = api;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#save();
    });
    this.#cancel.addEventListener('click', () => this.#edit(null));
    delegate(this.#root, 'click', '[data-prompt-edit]', (button) =>
      this.#edit(this.#prompts.find(({ id }) => id === button.dataset.promptEdit) ?? null),
    );
    delegate(this.#root, 'click', '[data-prompt-delete]', (button) =>
      void this.#delete(button.dataset.promptDelete ?? '').catch(toastError),
    );
  }

  async open() {
    this.#edit(null);
    await this.#list();
    open(this.#root);
  }

  /** @param {Prompt|null} prompt null: a new one */
  #edit(prompt) {
    this.#id = prompt?.id ?? '';
    this.#name.value = prompt?.name ?? '';
    this.#text.value = prompt?.text ?? '';
    this.#cancel.hidden = !prompt;
    this.#fault('');
    if (prompt) this.#name.focus();
  }

  async #save() {
    const body = { name: this.#name.value.trim(), text: this.#text.value.trim() };
    if (!body.name || !body.text) return this.#fault(t('prompts.incomplete'));
    try {
      if (this.#id) await this.#api.patch(`/api/prompts/${this.#id}`, body);
      else await this.#api.post('/api/prompts', body);
      this.#edit(null);
      announce(t('settings.saved'));
      await this.#list();
    } catch (error) {
      this.#fault(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} id */
  async #delete(id) {
    const name = this.#prompts.find((prompt) => prompt.id === id)?.name ?? '';
    if (!(await confirm(t('prompts.ask', { name }), t('session.delete')))) return;
    await this.#api.delete(`/api/prompts/${id}`);
    if (id === this.#id) this.#edit(null);
    await this.#list();
  }

  async #list() {
    this.#prompts = (await this.#api.get('/api/prompts')).items;
    find(this.#root, '[data-prompt-list]').replaceChildren(
      ...this.#prompts.map(({ id, name, text }) => {
        const row = fill(clone('saved-prompt'), { name, note: text });
        find(row, '[data-prompt-edit]').dataset.promptEdit = id;
        const button = find(row, '[data-prompt-delete]');
        button.dataset.promptDelete = id;
        button.ariaLabel = t('prompts.delete_name', { name });
        return row;
      }),
    );
  }

  /** @param {string} text */
  #fault(text) {
    showText(find(this.#root, '[data-prompt-fault]'), text);
  }
}
