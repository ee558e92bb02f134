/** Compares typed supplier addresses with saved ones; the server decides what one means. Pure. */

/**
 * Addresses that usually have no certificate: IP addresses and names without a dot. Others get
 * https, so that a key is not sent in plain text.
 */
const LOCAL = /^(\[|\d+(\.\d+){3}|[^./]+(:|\/|$))/;

/** @param {string} url @returns {string} */
export const withoutSlash = (url) => url.replace(/\/+$/, '');

/** Add the scheme where it is missing. @param {string} typed @returns {string} */
export function withScheme(typed) {
  const url = withoutSlash(typed.trim());
  return !url || url.includes('://') ? url : `${LOCAL.test(url) ? 'http' : 'https'}://${url}`;
}
