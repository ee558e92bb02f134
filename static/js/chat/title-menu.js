/**
 * The menu behind the chat's title. Its dialogs load on demand. A new chat has no id yet: its
 * settings go with the first question, and are stored once the server has accepted that.
 *
 * @typedef {import('../types.js').Session} Session
 * @typedef {import('../types.js').ChatSettings} ChatSettings
 * @typedef {import('../types.js').ChatPreset} ChatPreset
 * @typedef {{llm_config: {supplier: string, model: string}, knowledge_config: object|null}} Choice
 */
import { fromRoot } from '../core/address.js';
import { delegate, find } from '../core/dom.js';
import { loadStyle, once } from '../core/lazy.js';
import { mountMenu } from '../ui/menu.js';
import { toastError } from '../ui/toast.js';

export class TitleMenu {
  #api;
  #library;
  #root = find(document, '[data-title-menu]');
  #button = find(this.#root, '[data-title-button]');
  /** @type {string|null} */ #id = null;
  #temporary = false;
  #kept;
  /** @type {Partial<ChatSettings>} settings that this chat has of its own */
  #settings = {};
  #dialog = once(async () => {
    const [{ ChatSettingsDialog }] = await Promise.all([
      import('./chat-settings.js'),
      loadStyle('chat-dialogs'),
    ]);
    return new ChatSettingsDialog();
  });

  #share = once(async () => {
    const [{ ShareDialog }] = await Promise.all([
      import('./share.js'),
      loadStyle('chat-dialogs'),
    ]);
    return new ShareDialog({ api: this.#api });
  });

  #presets = once(async () => {
    const [{ PresetsDialog }] = await Promise.all([
      import('./presets.js'),
      loadStyle('chat-dialogs'),
    ]);
    return new PresetsDialog({
      api: this.#api,
      library: this.#library,
      settings: () => this.#current(),
      use: (preset) => this.usePreset(preset),
    });
  });

  /**
   * @param {{api: import('../net/api.js').Api, library: import('./library.js').Library}} deps
   * @param {(session: Session) => void} kept a temporary chat is now in the list
   */
  constructor({ api, library }, kept) {
    this.#kept = kept;
    this.#api = api;
    this.#library = library;
    mountMenu(this.#button, find(this.#root, '[role="menu"]'));
    this.#on('[data-chat-settings]', () => this.#openSettings());
    this.#on('[data-presets]', async () => (await this.#presets()).open());
    this.#on('[data-chat-temporary]', async () => this.#showTemporary(!this.#temporary));
    this.#on('[data-chat-keep]', () => this.#keep());
    this.#on('[data-share]', async () => this.#id && (await this.#share()).open(this.#id));
    delegate(this.#root, 'click', '[data-export]', (item) => this.#export(item.dataset.export));
  }

  /** @param {Session|null} session the chat that is now shown; null for a new one */
  enter(session) {
    this.#setId(session?.id ?? null);
    this.#showTemporary(session?.temporary ?? false);
    this.#show(session?.settings ?? {});
  }

  /**
   * Add the settings of a new chat to its first request.
   * @param {Choice} choice
   */
  request(choice) {
    const { temperature, ...settings } = this.#id ? {} : own(this.#settings);
    return {
      ...choice,
      ...(this.#temporary && !this.#id && { temporary: true }),
      ...(Object.keys(settings).length && { chat_config: settings }),
      ...(temperature !== undefined && { llm_config: { ...choice.llm_config, temperature } }),
    };
  }

  /** The first question of a new chat is stored. @param {string} sessionId */
  accepted(sessionId) {
    if (this.#id) return;
    this.#setId(sessionId);
    const settings = own(this.#settings);
    if (Object.keys(settings).length) {
      this.#api.patch(`/api/sessions/${sessionId}`, { settings }).catch(toastError);
    }
  }

  /** Go on with what a preset uses. @param {ChatPreset} preset */
  async usePreset(preset) {
    const id = this.#id;
    await this.#library.choosePreset(preset);
    if (id) await this.#api.patch(`/api/sessions/${id}`, { settings: preset.settings });
    if (id === this.#id) this.#show(preset.settings);
  }

  /** @param {string} hook @param {() => Promise<unknown>} run */
  #on(hook, run) {
    find(this.#root, hook).addEventListener('click', () => void run().catch(toastError));
  }

  async #openSettings() {
    const id = this.#id;
    const [dialog, me, settings] = await Promise.all([
      this.#dialog(),
      this.#api.get('/api/auth/me'),
      this.#current(),
    ]);
    dialog.open({
      settings,
      defaults: me.defaults,
      save: async (settings) => {
        if (id) await this.#api.patch(`/api/sessions/${id}`, { settings });
        if (id === this.#id) this.#show(settings);
      },
    });
  }

  /** @returns {Promise<Partial<ChatSettings>>} the settings that this chat has of its own */
  async #current() {
    return this.#id ? (await this.#api.get(`/api/sessions/${this.#id}`)).settings : this.#settings;
  }

  async #keep() {
    const session = await this.#api.patch(`/api/sessions/${this.#id}`, { temporary: false });
    if (session.id === this.#id) this.#showTemporary(false);
    this.#kept(session);
  }

  /** @param {boolean} temporary */
  #showTemporary(temporary) {
    this.#temporary = temporary;
    const choice = find(this.#root, '[data-chat-temporary]');
    choice.setAttribute('aria-checked', String(temporary));
    choice.hidden = this.#id !== null;
    find(this.#root, '[data-chat-keep]').hidden = this.#id === null || !temporary;
    find(document, '[data-temporary-note]').hidden = !temporary;
  }

  /** @param {string|null} id */
  #setId(id) {
    this.#id = id;
    this.#showTemporary(this.#temporary);
    for (const item of this.#root.querySelectorAll('[data-share], [data-export]')) {
      item.toggleAttribute('hidden', !id);
    }
  }

  /** @param {string|undefined} format */
  #export(format) {
    const link = document.createElement('a');
    link.href = fromRoot(`/api/sessions/${this.#id}/export?format=${format}`);
    link.download = '';
    link.click();
  }

  /** @param {Partial<ChatSettings>} settings */
  #show(settings) {
    this.#settings = settings;
    this.#button.toggleAttribute('data-own-settings', Object.keys(own(settings)).length > 0);
  }
}

/** @param {Partial<ChatSettings>} settings @returns {Partial<ChatSettings>} those that are set */
const own = (settings) =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
