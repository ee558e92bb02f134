/** Addresses of this service, which may be published below a path (CHATAPP_PUBLIC_URL). */

const { pathname } = new URL(import.meta.url);

/** The path of the service, "" or "/chat": it stands before `/static/` in this module's address. */
export const ROOT = /^(.*)\/static\/v-[^/]+\//.exec(pathname)?.[1] ?? '';

/** Where the static files are, wherever a bundle has put this module. */
export const STATIC = /^.*\/static\/v-[^/]+\//.exec(pathname)?.[0] ?? '/';

/** @param {string} path from the root of the service @returns {string} */
export const fromRoot = (path) => ROOT + path;

/**
 * An address that may be a link: http or https only, whatever the server stored.
 * @param {string|null|undefined} address @returns {string|null}
 */
export const webAddress = (address) =>
  address && /^https?:\/\//i.test(address) ? address : null;

/** @returns {string} the path of the page from the root of the service */
export const here = () => location.pathname.slice(ROOT.length) || '/';

/** @returns {string|null} the chat of `/c/<chat>` */
export const sessionInAddress = () => /^\/c\/([0-9a-f-]{36})$/i.exec(here())?.[1] ?? null;

/** @returns {string|null} the message of `/c/<chat>#<message>` */
export const messageInAddress = () => /^#([0-9a-f-]{36})$/i.exec(location.hash)?.[1] ?? null;
