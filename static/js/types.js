/**
 * The types of the API (docs/api.md) as the page uses them. Types only: never loaded by a browser.
 *
 * @typedef {{status: number, text: string}} SupplierAnswer what a supplier answered, for
 *   administrators only
 * @typedef {{code: string, message: string, retryable?: boolean,
 *   upstream?: SupplierAnswer|null}} Problem
 * @typedef {{id: string, title: string, pinned?: boolean, updated_at: string, created_at?: string,
 *   knowledge_base_id?: string|string[]|null, filter_by_file_md5?: string[],
 *   search_k?: number|null, supplier?: string|null, model?: string|null, leaf_id?: string|null,
 *   settings?: ChatSettings, temporary?: boolean}}
 *   Session
 * @typedef {{temperature: number|null, system_prompt: string|null, max_length: number|null,
 *   documents_only: boolean|null}} ChatSettings null: the user's default
 * @typedef {{id: string, name: string, supplier: string|null, model: string|null,
 *   knowledge_base_id: string|string[]|null, settings: ChatSettings}} ChatPreset
 * @typedef {Session & {snippet: string, message_id: string|null, title_marks: [number, number][],
 *   snippet_marks: [number, number][]}} FoundSession marks: places of the words, in code points
 * @typedef {{n: number, file_id: string, md5: string, name: string, page?: number|null,
 *   heading?: string|null, start: number, end: number, quote?: string, text?: string,
 *   score?: number, knowledge_base_id?: string, by?: Scores, url?: string|null}} Source
 * @typedef {{words?: number|null, vectors?: number|null, rerank?: number|null}} Scores the score of
 *   each ranking
 * @typedef {{n: number|null, cut: string|null, chunk_id: number, knowledge_base_id: string|null,
 *   file_id: string|null, name: string|null, page: number|null, heading: string|null,
 *   start: number|null, end: number|null, by: Scores}} Candidate
 * @typedef {{query: string, k: number, found: number, cut: {passages: number, history: number},
 *   candidates: Candidate[]}} AnswerSearch how the passages of an answer were chosen
 * @typedef {{ordinal: number, page: number|null, heading: string, start: number, end: number,
 *   text: string}} Chunk
 * @typedef {{file_id: string, name: string}} Unread a file that was not read yet when an answer was
 *   written
 * @typedef {'sending'|'unsent'|'queued'|'running'|'complete'|'stopped'|'failed'|'interrupted'}
 *   Status
 * @typedef {{id: string, session_id: string|null, parent_id: string|null, role: 'user'|'assistant',
 *   content: string, status: Status, siblings?: string[],
 *   reasoning?: string|null, sources?: Source[]|null,
 *   citations?: number[]|null, knowledge?: string|null, unread?: Unread[]|null,
 *   searched?: boolean, images?: Image[]|null,
 *   finish_reason?: string|null, model?: string|null, supplier?: string|null, error?: Problem|null,
 *   timings?: Record<string, number>|null, usage?: Usage|null, created_at?: string,
 *   feedback?: Feedback|null}} Message
 * @typedef {{rating: 'up'|'down', reason: string}} Feedback what the user thinks of an answer
 * @typedef {{input_tokens?: number, output_tokens?: number}} Usage as the supplier reports it
 * @typedef {{id: string, name: string, media_type: string, width: number, height: number}} Image a
 *   picture of a question
 * @typedef {{supplier: string, model: string, name?: string, builtin?: boolean,
 *   vision?: boolean|null}} Model `vision` null: it is not known whether it sees pictures
 * @typedef {{state: string, made_with?: string|null, current?: string|null, done?: number,
 *   total?: number}} Vectors
 * @typedef {{id: string, name: string, description?: string, files: number, chunks: number,
 *   state?: string, bundled?: boolean, failed?: number, pending?: number, vectors?: Vectors|null,
 *   splitting?: 'size'|'meaning', split_otherwise?: number, owner?: string|null, own?: boolean,
 *   may?: 'read'|'write'|'manage', access?: 'private'|'read'|'write',
 *   shared_with?: {name: string, access: 'read'|'write'}[]|null}} Base
 * @typedef {{id: string, name: string, size: number, status: string, progress?: number|null,
 *   pages?: number|null, media_type?: string, chunks?: number, skipped?: number,
 *   left_out?: {name: string, reason: string}[],
 *   scanned?: number,
 *   recognised?: number,
 *   words_only?: number,
 *   split?: 'size'|'meaning', split_reason?: string|null,
 *   error?: Problem|null, knowledge_base_id?: string, created_at?: string, duplicate?: boolean,
 *   md5?: string|null, web_page?: WebPage|null}} StoredFile
 * @typedef {{url: string, fetched_at: string|null, error: Problem|null,
 *   again: 'fetching'|'replaced'|'unchanged'|'failed'|null}} WebPage
 * @typedef {{name: string, label: string, base_url: string, needs_key: boolean, local: boolean,
 *   models: string[]}} Preset
 * @typedef {{id: string, name: string, preset?: string|null, base_url: string, has_key: boolean,
 *   models: string[], enabled: boolean, source?: string, options?: Record<string, unknown>}}
 *   Supplier
 * @typedef {{preset: string, label: string, base_url: string, models: string[]}} LocalServer
 * @typedef {{ok: boolean, models: string[], base_url?: string, note?: string|null,
 *   error?: Problem, ms?: number}} TestResult
 * @typedef {{id: string, name: string|null, role: string, has_password: boolean,
 *   language: string|null}} User null: not chosen yet
 * @typedef {{id: string, name: string|null, role: string, has_password: boolean,
 *   status: 'active'|'invited'|'disabled', disabled: boolean, created_at: string,
 *   seen_at: string|null, link_expires_at: string|null, knowledge_bases: number}} Account
 * @typedef {'login'|'provider'|'proxy'|'token'|null} SignedInBy
 * @typedef {{id: string, browser: string, address: string, current: boolean, created_at: string,
 *   used_at: string|null}} Login
 * @typedef {{id: string, kind: 'personal'|'terminal'|'environment', name: string,
 *   scopes: string[]|null, created_at: string, expires_at: string|null, used_at: string|null,
 *   token?: string}} Token
 * @typedef {{temperature: number|null, system_prompt: string, max_length: number,
 *   documents_only: boolean}} Defaults chat defaults
 * @typedef {{chats: number, messages: number, knowledge_bases: number, files: number,
 *   file_bytes: number, embedder: string|null, reranker: string|null, home: string|null,
 *   database: 'sqlite'|'postgresql'|null}} Stored the data of a user
 *
 * @typedef {object} View renders messages
 * @property {(path: Message[], tree: import('./chat/tree.js').MessageTree) => void} show the whole
 *   path
 * @property {(path: Message[], tree: import('./chat/tree.js').MessageTree) => void} grow the path,
 *   in which earlier or later messages are new and the others unchanged
 * @property {(message: Message) => void} update one message, all but its streamed text
 * @property {(message: Message, event: import('./net/events.js').WireEvent) => void} stream
 * @property {(message: Message, gap: import('./net/run.js').Gap) => void} gap the connection is
 *   lost or restored
 * @property {(message: Message, state: import('./net/stop.js').StopState) => void} stopping
 * @property {(message: Message) => void} finish the answer has ended
 *
 * @typedef {object} Hooks callbacks to the rest of the page
 * @property {() => {llm_config: {supplier: string, model: string}, knowledge_config: object|null}}
 *   choice
 * @property {(live: boolean) => void} live
 * @property {(sessionId: string, asked: boolean) => void} accepted the server has stored the
 *   request; `asked`: it was a question
 * @property {(outcome: import('./net/run.js').Outcome) => void} ended
 * @property {() => void} signedOut
 * @property {(question: Message, problem: Problem, appended: boolean) => boolean} waits whether a
 *   question that was not accepted waits to be sent again; `appended`: it makes no branch
 * @property {(text: string, problem: Problem, images?: Image[]|null) => boolean} refused puts the
 *   text back into the composer; false if that is not empty
 * @property {(problem: Problem) => void} problem
 */
export {};
