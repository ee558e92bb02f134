/**
 * The available models and knowledge bases, and the current choice. A new chat starts with the last
 * choice in this browser; the first chat starts with the bundled manual, so that the first question
 * gets a cited answer.
 *
 * @typedef {import('../types.js').Model} Model
 * @typedef {import('../types.js').Base} Base
 * @typedef {import('../types.js').ChatPreset} ChatPreset
 * @typedef {import('../types.js').Session} Session
 * @typedef {{md5?: string|null, name: string}} ChosenFile
 * @typedef {{model: {supplier: string, model: string}|null, base: string|null, bases?: string[],
 *   files?: ChosenFile[]}} Choice bases: all bases of a chat that uses several (only the API can
 *   select several); replaced when another base is chosen; files: answers come from these alone
 */
import { readStored, store } from '../core/storage.js';
import { Value } from '../core/value.js';

const NONE = 'none';
const MOST_FILES = 1000;

export class Library {
  /** @type {Value<Model[]>} */ models = new Value(/** @type {Model[]} */ ([]));
  /** @type {Value<Base[]>} */ bases = new Value(/** @type {Base[]} */ ([]));
  /** @type {Value<ChatPreset[]>} */ presets = new Value(/** @type {ChatPreset[]} */ ([]));
  /** @type {Value<Choice>} */
  choice = new Value(/** @type {Choice} */ ({ model: null, base: null }));
  /**
   * The base of this chat that is made when its first file is accepted.
   * @type {Value<{id: string, name: string}|null>}
   */
  coming = new Value(/** @type {{id: string, name: string}|null} */ (null));
  #api;
  /** @type {Choice['model']} */ #standard = null;
  /** @type {Session|null} */ #session = null;
  #visits = 0;

  /** @param {import('../net/api.js').Api} api */
  constructor(api) {
    this.#api = api;
  }

  async load() {
    await Promise.all([this.loadModels(), this.loadBases(), this.loadPresets()]);
  }

  async loadModels() {
    const answer = await this.#api.get('/api/models');
    this.#standard = answer.default ?? null;
    this.models.set(answer.items);
  }

  async loadBases() {
    this.bases.set((await this.#api.get('/api/knowledge')).items);
  }

  async loadPresets() {
    this.presets.set((await this.#api.get('/api/presets')).items);
  }

  /** Add a new base without loading the list again. @param {Base} base */
  addBase(base) {
    const others = this.bases.get().filter((other) => other.id !== base.id);
    const bundled = others.findIndex((other) => other.bundled);
    this.bases.set(others.toSpliced(bundled < 0 ? others.length : bundled, 0, base));
  }

  /** @param {string} id @param {string} name */
  async renameBase(id, name) {
    const changed = await this.#api.patch(`/api/knowledge/${id}`, { name });
    this.bases.set(this.bases.get().map((base) => (base.id === id ? changed : base)));
  }

  /** Changes whenever another chat is shown. */
  get visit() {
    return this.#visits;
  }

  /** Use the choice of a chat, or start a new one. @param {Session|null} session */
  enter(session) {
    this.#visits += 1;
    this.#session = session;
    const last = readStored('choice') ?? {};
    const own =
      session?.supplier && session.model
        ? { supplier: session.supplier, model: session.model }
        : null;
    const model = own ?? (this.#offers(last.model) ? last.model : this.#standard);
    const bases = session ? [session.knowledge_base_id ?? []].flat() : [];
    const base = session ? (bases[0] ?? null) : this.#firstBase(last.base);
    this.coming.set(null);
    const files = base ? (session?.filter_by_file_md5 ?? []).map((md5) => ({ md5, name: '' })) : [];
    this.choice.set({
      model,
      base,
      ...(bases.length > 1 && { bases }),
      ...(files.length && { files }),
    });
    if (files.length) void this.#nameFiles(bases).catch(() => {});
  }

  /** Keep the choice for a new chat that has just got its id. @param {Session} session */
  adopt(session) {
    this.#session = session;
  }

  /** @param {{supplier: string, model: string}} model */
  async chooseModel({ supplier, model }) {
    this.#choose({ ...this.choice.get(), model: { supplier, model } });
    if (this.#session) {
      await this.#api.patch(`/api/sessions/${this.#session.id}`, { supplier, model });
    }
  }

  /** @param {string|null} base @param {ChosenFile} [file] the only one to answer from */
  async chooseBase(base, file) {
    this.coming.set(null);
    const files = file && [{ md5: file.md5, name: file.name }];
    this.#choose({ model: this.choice.get().model, base, ...(files && { files }) });
    if (this.#session) {
      await this.#api.patch(`/api/sessions/${this.#session.id}`, { knowledge_base_id: base });
    }
  }

  /** Choose what a preset names, as far as it is there. @param {ChatPreset} preset */
  async choosePreset({ supplier, model, knowledge_base_id: wanted }) {
    const offered = supplier && model && this.#offers({ supplier, model });
    const own = offered ? { supplier, model } : this.choice.get().model;
    const bases = [wanted ?? []].flat().filter((id) => this.base(id));
    this.coming.set(null);
    this.#choose({ model: own, base: bases[0] ?? null, ...(bases.length > 1 && { bases }) });
    if (this.#session) {
      const body = { ...own, knowledge_base_id: bases };
      await this.#api.patch(`/api/sessions/${this.#session.id}`, body);
    }
  }

  /** The part of a request that names model and knowledge base. */
  request() {
    const { model, base, bases, files } = this.choice.get();
    const md5s = files?.map(({ md5 }) => md5);
    return {
      llm_config: model ?? { supplier: '', model: '' },
      knowledge_config: base
        ? {
            knowledge_base_id: bases?.filter((id) => this.base(id)) ?? base,
            ...(md5s && { filter_by_file_md5: md5s }),
          }
        : null,
    };
  }

  /** @returns {string} the names of the chosen files or bases; empty for none */
  get chosenNames() {
    const { base, bases = [base], files = [] } = this.choice.get();
    if (files[0]?.name) return files.map(({ name }) => name).join(' · ');
    return bases
      .map((id) => this.base(id)?.name)
      .filter(Boolean)
      .join(' · ');
  }

  /** @param {string|null} id @returns {Base|null} */
  base(id) {
    return this.bases.get().find((base) => base.id === id) ?? null;
  }

  /**
   * Find the names of the chosen files; those that are gone are not chosen.
   * @param {string[]} bases
   */
  async #nameFiles(bases) {
    const { visit, choice } = this;
    const before = choice.get();
    const lists = await Promise.all(
      bases.map((id) => this.#api.get(`/api/knowledge/${id}/files?limit=${MOST_FILES}`)),
    );
    if (visit !== this.visit || before.files !== choice.get().files) return;
    const chosen = new Set(before.files?.map(({ md5 }) => md5));
    const files = lists
      .flatMap(({ items }) => items)
      .filter((/** @type {ChosenFile} */ { md5 }) => chosen.delete(md5));
    const { files: _, ...whole } = choice.get();
    choice.set(files.length ? { ...whole, files } : whole);
  }

  /** @param {Choice} choice */
  #choose(choice) {
    this.choice.set(choice);
    store('choice', { model: choice.model, base: choice.base ?? NONE });
  }

  /** @param {Choice['model']} model */
  #offers(model) {
    return this.models
      .get()
      .some((offer) => offer.supplier === model?.supplier && offer.model === model?.model);
  }

  /** @param {string|undefined} last */
  #firstBase(last) {
    if (last === NONE) return null;
    return (this.base(last ?? null) ?? this.bases.get().find((base) => base.bundled))?.id ?? null;
  }
}
