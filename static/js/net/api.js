/**
 * The JSON API. Failures are `ApiError`s with the server's message, in the user's language.
 */
import { fromRoot, here } from '../core/address.js';
import { t } from '../core/i18n.js';

/** Here 401 means a wrong secret, not a missing login. */
const SECRETS = ['/api/auth/login', '/api/auth/password'];

export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{status?: number, retryAfter?: number, fields?: Record<string, string>}} [rest]
   */
  constructor(code, message, { status = 0, retryAfter, fields } = {}) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
    /** Seconds to wait (Retry-After). */
    this.retryAfter = retryAfter;
    /** Why each field was refused. */
    this.fields = fields;
  }
}

/**
 * Read the error from a refused response; a proxy's page becomes an error with its status.
 * @param {{status: number, headers: {get(name: string): string|null}, text(): Promise<string>}}
 *   response
 * @returns {Promise<ApiError>}
 */
export async function refusal(response) {
  const retryAfter = Number(response.headers.get('Retry-After')) || undefined;
  const rest = { status: response.status, retryAfter };
  try {
    const { error } = JSON.parse(await response.text());
    return new ApiError(String(error.code), String(error.message), {
      ...rest,
      fields: error.fields,
    });
  } catch {
    return new ApiError('unexpected', t('net.unexpected', { status: response.status }), rest);
  }
}

/** @param {unknown} error @returns {boolean} whether the server says that nothing is there */
export const isMissing = (error) => error instanceof ApiError && error.status === 404;

/** Go to the sign-in page and come back afterwards. */
export function goToSignIn() {
  const next = here() === '/' ? '' : `?next=${encodeURIComponent(here())}`;
  location.assign(fromRoot(`/sign-in${next}`));
}

/** Whether leaving this page would lose data. */
let hasUnsavedData = () => false;

/**
 * Handle a lost login.
 * @returns {boolean} whether the page is being left for the sign-in page
 */
export function signedOut() {
  if (hasUnsavedData()) return false;
  goToSignIn();
  return true;
}

/**
 * Do not leave for the sign-in page while `check` returns true.
 * @param {() => boolean} check
 */
export function blockSignInRedirect(check) {
  hasUnsavedData = check;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {{signal?: AbortSignal, keepalive?: boolean, background?: boolean}} [options]
 *   background: after a 401 do not go to the sign-in page
 * @returns {Promise<any>} the parsed body, null when there is none
 */
async function call(method, path, body, { background = false, ...options } = {}) {
  const init =
    body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  const response = await fetch(fromRoot(path), { method, ...init, ...options }).catch((cause) => {
    if (options.signal?.aborted) throw cause;
    throw new ApiError('offline', t('net.unreachable'));
  });
  if (!response.ok) {
    if (response.status === 401 && !SECRETS.includes(path) && !background) signedOut();
    throw await refusal(response);
  }
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

export const api = {
  /** @param {string} path @param {{signal?: AbortSignal, background?: boolean}} [options] */
  get: (path, options) => call('GET', path, undefined, options),
  /** @param {string} path @param {unknown} body */
  post: (path, body = {}) => call('POST', path, body),
  /** @param {string} path @param {unknown} body */
  put: (path, body) => call('PUT', path, body),
  /** @param {string} path @param {unknown} body */
  patch: (path, body) => call('PATCH', path, body),
  /** @param {string} path @param {{keepalive?: boolean}} [options] */
  delete: (path, options) => call('DELETE', path, undefined, options),
};

/** @typedef {typeof api} Api */
