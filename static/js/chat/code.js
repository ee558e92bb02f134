/**
 * The "Use from code" dialog: snippets that ask with the model, documents and token of a chat.
 */
import { fromRoot } from '../core/address.js';
import { delegate, find, findAs } from '../core/dom.js';
import { currentLanguage, t } from '../core/i18n.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { dialog, open } from '../ui/dialog.js';
import { announce } from '../ui/announce.js';
import { toastError } from '../ui/toast.js';
import { modelName } from './pickers.js';
import { curl, python } from './snippets.js';

/** @typedef {import('../types.js').Session} Session */
/** @typedef {{supplier: string, model: string}|null} Model */

/** The API's default. */
const SEARCH_K = 5;
/** A longer question would fill the snippet. */
const LONGEST_QUESTION = 200;

export class CodeDialog {
  #api;
  #library;
  #accounts;
  #root = dialog('code');
  #continueSession = findAs(this.#root, '[data-code-go-on]', HTMLInputElement);
  #make = find(this.#root, '[data-code-make]');
  #made = find(this.#root, '[data-code-made]');
  /** @type {string|null} */ #sessionId = null;
  /** @type {Record<string, unknown>} */ #body = {};

  /**
   * @param {{api: import('../net/api.js').Api, library: import('./library.js').Library,
   *   accounts: boolean}} deps
   */
  constructor({ api, library, accounts }) {
    this.#api = api;
    this.#library = library;
    this.#accounts = accounts;
    find(this.#root, '[data-code-token]').hidden = !accounts;
    this.#continueSession.addEventListener('change', () => this.#show());
    this.#make.addEventListener('click', () => void this.#makeToken().catch(toastError));
    delegate(this.#root, 'click', '[data-code-copy]', (button) => {
      void copyWithFeedback(
        button,
        find(button.closest('[data-code-block]') ?? button, 'code').textContent ?? '',
      );
    });
    this.#root.addEventListener('close', () => this.#showToken(''));
  }

  /** @param {string|null} id the chat; null for a new one with the current choice */
  async open(id) {
    const session = id ? await this.#api.get(`/api/sessions/${id}`) : null;
    const question = await this.#lastQuestion(session);
    const model = modelOf(session) ?? this.#library.choice.get().model;
    const chosen = session
      ? [session.knowledge_base_id ?? []].flat()
      : [this.#library.choice.get().base ?? []].flat();
    const bases = chosen.filter((base) => this.#library.base(base));
    this.#sessionId = id;
    this.#body = {
      question,
      ...(model && { llm_config: model }),
      knowledge_config: knowledge(bases, session),
    };
    this.#continueSession.checked = false;
    find(this.#root, '[data-code-go-on-row]').hidden = !id;
    find(this.#root, '[data-code-lead]').textContent = this.#lead(model, bases);
    find(this.#root, '[data-code-openai]').textContent = t('code.openai', {
      url: location.origin + fromRoot('/v1'),
      model: modelId(model, bases),
    });
    this.#show();
    open(this.#root);
  }

  #show() {
    const session = this.#continueSession.checked ? { session_id: this.#sessionId } : {};
    const body = { ...this.#body, ...session };
    const url = location.origin + fromRoot('/chat/stream');
    const request = { url, token: this.#accounts, body };
    find(this.#root, '[data-code=curl]').textContent = curl(request);
    find(this.#root, '[data-code=python]').textContent = python(request);
  }

  /** @param {Model} model @param {string[]} bases */
  #lead(model, bases) {
    const name = model ? modelName(this.#library, model) : t('composer.choose_model');
    if (!bases.length) return t('code.lead.alone', { model: name });
    const names = bases.map((base) => this.#library.base(base)?.name ?? base);
    return t('code.lead', {
      model: name,
      documents: new Intl.ListFormat(currentLanguage()).format(names),
    });
  }

  /**
   * Use the last question as the example.
   * @param {Session|null} session
   * @returns {Promise<string>}
   */
  async #lastQuestion(session) {
    if (!session?.leaf_id) return t('code.question');
    const leaf = await this.#api.get(`/api/messages/${session.leaf_id}`);
    const asked =
      leaf.role === 'user' ? leaf : await this.#api.get(`/api/messages/${leaf.parent_id}`);
    return asked.content.length <= LONGEST_QUESTION ? asked.content : t('code.question');
  }

  async #makeToken() {
    const { token } = await this.#api.post('/api/auth/tokens', { name: t('code.title') });
    this.#showToken(`export CHATAPP_TOKEN=${token}`);
    announce(t('code.token.made'));
  }

  /** @param {string} line empty for none */
  #showToken(line) {
    find(this.#made, 'code').textContent = line;
    this.#made.hidden = !line;
    this.#make.hidden = Boolean(line);
  }
}

/** @param {Session|null} session @returns {Model} the model last used */
function modelOf(session) {
  return session?.supplier && session.model
    ? { supplier: session.supplier, model: session.model }
    : null;
}

/**
 * @param {Model} model
 * @param {string[]} bases
 * @returns {string} its id in OpenAI's protocol, which names one knowledge base at most
 */
function modelId(model, bases) {
  const { supplier, model: name } = model ?? { supplier: 'builtin', model: 'extractive' };
  return `${supplier}/${name}${bases.length === 1 ? `@${bases[0]}` : ''}`;
}

/**
 * @param {string[]} bases
 * @param {Session|null} session
 * @returns {object|null} the request's knowledge_config
 */
function knowledge(bases, session) {
  if (!bases.length) return null;
  const { filter_by_file_md5: md5s = [], search_k: count } = session ?? {};
  return {
    knowledge_base_id: bases.length > 1 ? bases : bases[0],
    ...(md5s.length && { filter_by_file_md5: md5s }),
    ...(count && count !== SEARCH_K && { search_k: count }),
  };
}
