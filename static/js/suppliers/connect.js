/**
 * Connect a model: a server found on this machine by one click, a known supplier by its key, anything else by its address.
 * Saving tests first, takes the models that the supplier names, and chooses the first of them for this chat.
 */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';
import { toast, toastError } from '../ui/toast.js';

/** @typedef {import('../types.js').Preset} Preset */
/** @typedef {import('../types.js').Supplier} Supplier */
/** @typedef {import('../types.js').LocalServer} LocalServer */
/** @typedef {import('../types.js').TestResult} TestResult */

const CUSTOM = '';
/** Up to so many models of a server of one's own all are taken: somebody has put them there. */
const ALL_TICKED = 12;
/** From here on ticking them one by one is work. */
const MANY = 4;
/** After these a model's name would not help. */
const NOT_ABOUT_MODELS = ['upstream_auth', 'upstream_unreachable', 'upstream_timeout', 'upstream_quota'];

export class ConnectDialog {
  #root = dialog('connect');
  #api;
  #library;
  /** @type {Preset[]} */ #presets = [];
  /** @type {string[]} */ #names = [];
  #preset = findAs(this.#root, '[data-preset]', HTMLSelectElement);
  #url = findAs(this.#root, '[data-base-url]', HTMLInputElement);
  #key = findAs(this.#root, '[data-key]', HTMLInputElement);
  #typed = findAs(this.#root, '[data-typed]', HTMLInputElement);

  /** @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library}} deps */
  constructor({ api, library }) {
    this.#api = api;
    this.#library = library;
    this.#preset.addEventListener('change', () => this.#presetChosen());
    this.#url.addEventListener('input', () => this.#urlChanged());
    this.#key.addEventListener('input', () => this.#forget());
    find(this.#root, '[data-test]').addEventListener('click', () => void this.#busy(() => this.#test()));
    find(this.#root, '[data-connect-form]').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#busy(() => this.#save());
    });
    find(this.#root, '[data-tick-all]').addEventListener('click', () => this.#tickAll());
    delegate(this.#root, 'click', '[data-remove-supplier]', (button) => void this.#busy(() => this.#remove(button)));
  }

  /** @param {string} [reason] why the dialog opens by itself */
  async open(reason) {
    showText(find(this.#root, '[data-reason]'), reason);
    this.#result('', null);
    find(this.#root, '[data-found]').hidden = true;
    open(this.#root);
    const quietly = (/** @type {Promise<unknown>} */ work) => work.catch(toastError);
    await Promise.all([quietly(this.#loadPresets()), quietly(this.#loadSuppliers()), this.#findLocal().catch(() => {})]);
  }

  async #loadPresets() {
    if (this.#presets.length) return;
    this.#presets = (await this.#api.get('/api/suppliers/presets')).items;
    const options = [...this.#presets.map((preset) => new Option(preset.label, preset.name)), new Option(t('connect.custom'), CUSTOM)];
    this.#preset.replaceChildren(...options);
    if (!this.#url.value && document.activeElement !== this.#url) return this.#presetChosen();
    this.#preset.value = CUSTOM; // somebody was faster than the list
  }

  async #loadSuppliers() {
    const { items } = await this.#api.get('/api/suppliers');
    this.#names = items.map((/** @type {Supplier} */ one) => one.name);
    find(this.#root, '[data-suppliers-section]').hidden = !items.length;
    find(this.#root, '[data-suppliers]').replaceChildren(...items.map((/** @type {Supplier} */ one) => supplierRow(one)));
  }

  async #findLocal() {
    const { items } = await this.#api.get('/api/suppliers/local');
    find(this.#root, '[data-found]').hidden = !items.length;
    find(this.#root, '[data-found-list]').replaceChildren(...items.map((/** @type {LocalServer} */ server) => this.#foundRow(server)));
  }

  /** @param {LocalServer} server */
  #foundRow(server) {
    const note = server.models.length ? count('connect.found.models', server.models.length) : server.base_url;
    const row = fill(clone('found'), { label: server.label, note });
    const button = find(row, '[data-found-server]');
    button.dataset.foundServer = server.preset;
    button.addEventListener('click', () => void this.#busy(() => this.#useFound(server)));
    return row;
  }

  /** One click takes it all. @param {LocalServer} server */
  async #useFound(server) {
    this.#preset.value = server.preset;
    this.#presetChosen();
    this.#url.value = server.base_url;
    this.#showModels(server.models);
    if (server.models.length) await this.#save();
    else await this.#test();
  }

  #presetChosen() {
    const preset = this.#chosen();
    this.#url.value = preset?.base_url ?? '';
    find(this.#root, '[data-key-note]').textContent = preset?.needs_key ? '' : t('connect.key.optional');
    find(this.#root, '[data-key-row]').hidden = Boolean(preset?.local);
    this.#forget();
  }

  /** Another address than a preset's own is no preset any more; a local kind of server may stand on another machine. */
  #urlChanged() {
    const preset = this.#chosen();
    if (preset && !preset.local && this.#url.value.trim() !== preset.base_url) {
      this.#preset.value = CUSTOM;
      find(this.#root, '[data-key-note]').textContent = t('connect.key.optional');
    }
    this.#forget();
  }

  #chosen() {
    return this.#presets.find((preset) => preset.name === this.#preset.value) ?? null;
  }

  /** What was tested is not what stands here any more. */
  #forget() {
    this.#showModels([]);
    this.#typed.value = '';
    find(this.#root, '[data-typed-row]').hidden = true;
    this.#result('', null);
  }

  /** @returns {Promise<boolean>} whether it answers */
  async #test() {
    this.#result(t('connect.testing'), null);
    /** @type {TestResult} */
    const found = await this.#api.post('/api/suppliers/test', this.#target());
    find(this.#root, '[data-typed-row]').hidden = NOT_ABOUT_MODELS.includes(found.error?.code ?? '');
    find(this.#root, '[data-typed-label]').textContent = t(found.models.length ? 'connect.typed.more' : 'connect.typed');
    if (!found.ok) return this.#result(found.error?.message ?? t('connect.failed'), 'failed'), false;
    this.#showModels(found.models);
    const text = found.models.length ? count('connect.ok', found.models.length) : t('connect.ok.none');
    this.#result(text, 'ok');
    return true;
  }

  #target() {
    return {
      ...(this.#preset.value && { preset: this.#preset.value }),
      ...(this.#url.value.trim() && { base_url: this.#url.value.trim() }),
      ...(this.#key.value.trim() && { api_key: this.#key.value.trim() }),
    };
  }

  /** An address without a preset is called after its host. @returns {{name?: string}} */
  #name() {
    const url = this.#url.value.trim();
    if (this.#chosen() || !URL.canParse(url)) return {};
    const { host } = new URL(url);
    const taken = this.#names.filter((name) => name === host || name.startsWith(`${host} `)).length;
    return { name: taken ? `${host} ${taken + 1}` : host };
  }

  async #save() {
    if (!this.#picked().length && !(await this.#test())) return;
    const models = this.#picked();
    if (!models.length) {
      find(this.#root, '[data-typed-row]').hidden = false;
      this.#result(t('connect.need_model'), 'failed');
      return this.#typed.focus();
    }
    const saved = await this.#api.post('/api/suppliers', { ...this.#target(), ...this.#name(), models, enabled: true });
    await this.#library.loadModels();
    const model = this.#chosen()?.models.find((name) => models.includes(name)) ?? models[0];
    await this.#library.chooseModel({ supplier: saved.name, model });
    this.#key.value = '';
    this.#forget();
    this.#root.close();
    toast(t('connect.saved', { model }));
  }

  /** @returns {string[]} typed models first, since they were typed on purpose */
  #picked() {
    const typed = this.#typed.value.split(/[,，\s]+/).filter(Boolean);
    const ticked = this.#boxes().filter((box) => box.checked).map((box) => box.dataset.model ?? '');
    return [...new Set([...typed, ...ticked])];
  }

  #boxes() {
    return [...this.#root.querySelectorAll('[data-model]')].filter((box) => box instanceof HTMLInputElement);
  }

  /** All, or none if all are ticked. */
  #tickAll() {
    const boxes = this.#boxes();
    const all = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = all;
  }

  /** Tick what is likely to be wanted: all of a server of one's own, else what the preset suggests, else the first. @param {string[]} models */
  #showModels(models) {
    const preset = this.#chosen();
    const suggested = preset?.models.filter((name) => models.includes(name)) ?? [];
    const ticked = preset?.local && models.length <= ALL_TICKED ? models : suggested.length ? suggested : models.slice(0, 1);
    find(this.#root, '[data-models-row]').hidden = !models.length;
    find(this.#root, '[data-tick-all]').hidden = models.length < MANY;
    find(this.#root, '[data-models]').replaceChildren(...models.map((name) => {
      const row = fill(clone('model-check'), { name });
      const box = findAs(row, '[data-model]', HTMLInputElement);
      box.dataset.model = name;
      box.checked = ticked.includes(name);
      return row;
    }));
  }

  /** @param {string} text @param {'ok'|'failed'|null} kind */
  #result(text, kind) {
    const element = find(this.#root, '[data-result]');
    showText(element, text);
    element.dataset.result = kind ?? '';
  }

  /** @param {HTMLElement} button */
  async #remove(button) {
    await this.#api.delete(`/api/suppliers/${button.dataset.removeSupplier}`);
    await Promise.all([this.#loadSuppliers(), this.#library.loadModels()]);
  }

  /** Do one thing at a time, and say what went wrong. @param {() => Promise<unknown>} work */
  async #busy(work) {
    const form = find(this.#root, '[data-connect-form]');
    if (form.ariaBusy === 'true') return;
    form.ariaBusy = 'true';
    try {
      await work();
    } catch (error) {
      this.#result(error instanceof Error ? error.message : String(error), 'failed');
    }
    form.ariaBusy = 'false';
  }
}

/** @param {Supplier} supplier */
function supplierRow(supplier) {
  const row = fill(clone('supplier'), { name: supplier.name, note: supplier.models.join(', ') });
  const remove = find(row, '[data-remove-supplier]');
  remove.dataset.removeSupplier = supplier.id;
  remove.hidden = supplier.source === 'environment';
  return row;
}
