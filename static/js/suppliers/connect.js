/**
 * The Connect dialog: a local server by one click, a preset by its key, any other supplier by its
 * address. Saving tests the supplier first and chooses one of its models for this chat. The same
 * form edits connected suppliers; a known address is updated, not added twice.
 */
import { find, findAs, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { ApiError } from '../net/api.js';
import { dialog, open } from '../ui/dialog.js';
import { monogram } from '../ui/monogram.js';
import { toast, toastError } from '../ui/toast.js';
import { withScheme } from './address.js';
import { Connected } from './connected.js';
import { FoundServers } from './found.js';
import { ModelChoice } from './models.js';
import { OptionsForm } from './options.js';
import { refusalText } from './refusal.js';
import { resultLine } from './result.js';

/** @typedef {import('../types.js').Preset} Preset */
/** @typedef {import('../types.js').Supplier} Supplier */
/** @typedef {import('../types.js').LocalServer} LocalServer */
/** @typedef {import('../types.js').TestResult} TestResult */

const CUSTOM = '';
/** Up to this many models of a local server are all ticked, since the user has installed them. */
const ALL_TICKED = 12;
/** Errors that entering a model's name does not solve. */
const NOT_ABOUT_MODELS = [
  'upstream_auth',
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_quota',
];

export class ConnectDialog {
  #root = dialog('connect');
  #result = resultLine(this.#root);
  #api;
  #library;
  /** @type {Preset[]} */ #presets = [];
  /** @type {Supplier|null} the one that is being changed */ #edited = null;
  #preset = findAs(this.#root, '[data-preset]', HTMLSelectElement);
  #url = findAs(this.#root, '[data-base-url]', HTMLInputElement);
  #key = findAs(this.#root, '[data-key]', HTMLInputElement);
  #models = new ModelChoice(this.#root);
  #options = new OptionsForm(this.#root, () => this.#result('', null));
  #connected;
  #found;

  /**
   * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library}} deps
   */
  constructor({ api, library }) {
    this.#api = api;
    this.#library = library;
    this.#preset.addEventListener('change', () => this.#presetChosen());
    this.#url.addEventListener('input', () => this.#urlChanged());
    this.#key.addEventListener('input', () => this.#forget());
    find(this.#root, '[data-test]').addEventListener(
      'click',
      () => void this.#busy(() => this.#test()),
    );
    find(this.#root, '[data-connect-form]').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#busy(() => this.#save());
    });
    find(this.#root, '[data-connect-cancel]').addEventListener('click', () => this.#endEdit());
    this.#connected = new Connected(this.#root, {
      api,
      edit: (supplier) => this.#edit(supplier),
      remove: (supplier) => void this.#busy(() => this.#remove(supplier)),
    });
    this.#found = new FoundServers(this.#root, {
      api,
      use: (server) => void this.#busy(() => this.#useFound(server)),
    });
  }

  /** @param {string} [reason] shown where the dialog opens automatically */
  async open(reason) {
    if (this.#edited) this.#endEdit();
    showText(find(this.#root, '[data-reason]'), reason);
    this.#result('', null);
    this.#found.hide();
    open(this.#root);
    const quietly = (/** @type {Promise<unknown>} */ work) => work.catch(toastError);
    await Promise.all([
      quietly(this.#loadPresets().then(() => this.#connected.load())),
      this.#found.load(),
    ]);
  }

  async #loadPresets() {
    if (this.#presets.length) return;
    this.#presets = (await this.#api.get('/api/suppliers/presets')).items;
    const options = this.#presets.map((preset) => new Option(preset.label, preset.name));
    this.#preset.replaceChildren(...options, new Option(t('connect.custom'), CUSTOM));
    if (!this.#url.value && document.activeElement !== this.#url) return this.#presetChosen();
    this.#preset.value = CUSTOM; // an address was typed before the presets were loaded
  }

  /** Connect a server with all its models. @param {LocalServer} server */
  async #useFound(server) {
    this.#preset.value = server.preset;
    this.#presetChosen();
    this.#url.value = server.base_url;
    this.#showModels(server.models);
    if (server.models.length) await this.#save();
    else await this.#test();
  }

  /**
   * Edit a connected supplier in the form; its preset cannot be changed.
   * @param {Supplier} supplier
   */
  #edit(supplier) {
    this.#edited = supplier;
    this.#preset.value = supplier.preset ?? CUSTOM;
    this.#presetChosen();
    this.#url.value = supplier.base_url;
    this.#key.value = '';
    this.#keyNote();
    this.#models.clear();
    this.#models.show(supplier.models, supplier.models);
    this.#models.offerName(true, true);
    this.#options.show(supplier.options);
    this.#showMode();
    find(this.#root, '#connect-title').focus();
    this.#root.scrollTop = 0;
  }

  #endEdit() {
    this.#edited = null;
    this.#preset.value = this.#presets[0]?.name ?? CUSTOM;
    this.#key.value = '';
    this.#presetChosen();
    this.#showMode();
    this.#options.show(null);
    void this.#found.load();
  }

  #showMode() {
    const edited = this.#edited;
    find(this.#root, '#connect-title').textContent = edited
      ? t('connect.edit', { name: edited.name })
      : t('connect.title');
    this.#preset.disabled = edited !== null;
    find(this.#root, '[data-connect-cancel]').hidden = !edited;
    find(this.#root, '[data-lead]').hidden = edited !== null;
    if (edited) this.#found.hide();
  }

  #presetChosen() {
    const preset = this.#chosen();
    this.#url.value = preset?.base_url ?? '';
    find(this.#root, '[data-key-row]').hidden = Boolean(preset?.local) && !this.#edited?.has_key;
    this.#keyNote();
    this.#forget();
  }

  /** Show whether a key is needed. A saved key is not sent to another address. */
  #keyNote() {
    const kept = this.#edited?.has_key ?? false;
    const moved = kept && this.#address() !== this.#edited?.base_url;
    this.#key.placeholder = kept && !moved ? t('connect.key.kept') : '';
    const note = moved
      ? 'connect.key.again'
      : kept || this.#chosen()?.needs_key
        ? ''
        : 'connect.key.optional';
    find(this.#root, '[data-key-note]').textContent = note && t(note);
  }

  /**
   * With another address than its own a preset becomes a custom supplier, unless it is a kind of
   * local server, which may run on another machine.
   */
  #urlChanged() {
    const preset = this.#chosen();
    if (preset && !preset.local && !this.#edited && this.#url.value.trim() !== preset.base_url) {
      this.#preset.value = CUSTOM;
    }
    this.#keyNote();
    this.#forget();
  }

  #chosen() {
    return this.#presets.find((preset) => preset.name === this.#preset.value) ?? null;
  }

  /** The form has changed: discard the test result. */
  #forget() {
    const name = this.#chosen()?.label ?? this.#address();
    find(this.#root, '[data-preset-mark]').replaceChildren(monogram(name));
    if (!this.#edited) this.#models.clear();
    this.#result('', null);
  }

  /** @returns {Promise<boolean>} whether it answers */
  async #test() {
    this.#result(t('connect.testing'), null);
    const saved = this.#saved();
    /** @type {TestResult} */
    const found = await this.#api.post('/api/suppliers/test', {
      ...this.#target(),
      ...(saved && { supplier_id: saved.id }),
    });
    const understood = this.#understood(found.base_url);
    if (!this.#edited) {
      this.#models.offerName(
        !NOT_ABOUT_MODELS.includes(found.error?.code ?? ''),
        found.models.length > 0,
      );
    }
    if (!found.ok) {
      const { message = t('connect.failed'), upstream } = found.error ?? {};
      this.#result(message, 'failed', upstream);
      return false;
    }
    this.#showModels(found.models);
    const text = found.note ?? count('connect.ok', found.models.length);
    this.#result([text, understood].filter(Boolean).join(' '), 'ok');
    return true;
  }

  /**
   * Show the address as the server understands it.
   * @param {string|undefined} url
   * @returns {string} a sentence, empty if it is as typed
   */
  #understood(url) {
    if (!url || url === this.#url.value.trim()) return '';
    this.#url.value = url;
    this.#keyNote();
    return t('connect.understood', { url });
  }

  #target() {
    const url = this.#url.value.trim();
    const options = this.#options.changes();
    return {
      ...(this.#preset.value && { preset: this.#preset.value }),
      ...(url && { base_url: url }),
      ...(this.#key.value.trim() && { api_key: this.#key.value.trim() }),
      ...(Object.keys(options).length > 0 && { options }),
    };
  }

  #address() {
    return withScheme(this.#url.value);
  }

  /** @returns {Supplier|null} what Save changes */
  #saved() {
    return this.#edited ?? this.#connected.at(this.#preset.value, this.#address());
  }

  /** A custom supplier is named after its host. @returns {{name?: string}} */
  #name() {
    const url = this.#address();
    return this.#chosen() || !URL.canParse(url)
      ? {}
      : { name: this.#connected.nameFor(new URL(url).host) };
  }

  async #save() {
    if (!this.#models.picked().length && !this.#edited && !(await this.#test())) return;
    const picked = this.#models.picked();
    if (!picked.length) {
      this.#result(t('connect.need_model'), 'failed');
      return this.#models.askName();
    }
    const before = this.#saved();
    const models = before && !this.#edited ? [...new Set([...picked, ...before.models])] : picked;
    const body = { ...this.#target(), models, enabled: true };
    const saved = before
      ? await this.#api.patch(`/api/suppliers/${before.id}`, body)
      : await this.#api.post('/api/suppliers', { ...body, ...this.#name() });
    await this.#library.loadModels();
    if (this.#edited) await this.#changed(saved);
    else await this.#chooseFrom(saved, picked);
    this.#root.close();
  }

  /** @param {Supplier} saved @param {string[]} picked */
  async #chooseFrom(saved, picked) {
    const model = this.#chosen()?.models.find((name) => picked.includes(name)) ?? picked[0];
    await this.#library.chooseModel({ supplier: saved.name, model });
    this.#key.value = '';
    this.#options.show(null);
    this.#forget();
    toast(t('connect.saved', { model }));
  }

  /** Keep the chosen model, unless it has just been removed. @param {Supplier} saved */
  async #changed({ name, models }) {
    const { model } = this.#library.choice.get();
    if (model?.supplier === name && !models.includes(model.model)) {
      await this.#library.chooseModel({ supplier: name, model: models[0] });
    }
    this.#endEdit();
    toast(t('connect.changed', { name }));
  }

  /**
   * Tick the models that are likely to be used: all of a local server, else those that the preset
   * suggests, else the first.
   * @param {string[]} models
   */
  #showModels(models) {
    if (this.#edited) {
      return this.#models.show(
        [...new Set([...models, ...this.#models.ticked()])],
        this.#models.ticked(),
      );
    }
    const preset = this.#chosen();
    const suggested = preset?.models.filter((name) => models.includes(name)) ?? [];
    const ticked =
      preset?.local && models.length <= ALL_TICKED
        ? models
        : suggested.length
          ? suggested
          : models.slice(0, 1);
    this.#models.show(models, [...ticked, ...(this.#saved()?.models ?? [])]);
  }

  /** @param {Supplier} supplier */
  async #remove(supplier) {
    if (!(await this.#connected.remove(supplier))) return;
    if (this.#edited?.id === supplier.id) this.#endEdit();
    await this.#library.loadModels();
  }

  /** Run one action at a time and show its error. @param {() => Promise<unknown>} work */
  async #busy(work) {
    const form = find(this.#root, '[data-connect-form]');
    if (form.ariaBusy === 'true') return;
    form.ariaBusy = 'true';
    try {
      await work();
    } catch (error) {
      this.#result(refusalText(error), 'failed');
      if (error instanceof ApiError && error.fields?.base_url) this.#url.focus();
    }
    form.ariaBusy = 'false';
  }
}
