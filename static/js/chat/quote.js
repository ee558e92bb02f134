/** Find a quoted sentence in its passage, also where line breaks and blanks differ. Pure. */

/**
 * @param {string} text @param {string} quote
 * @returns {[string, string, string]} before, quoted, after; joined they are the text
 */
export function markQuote(text, quote) {
  const words = quote.trim().split(/\s+/).filter(Boolean);
  if (!words.length) return [text, '', ''];
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+');
  const match = new RegExp(pattern, 'u').exec(text);
  if (!match) return [text, '', ''];
  const end = match.index + match[0].length;
  return [text.slice(0, match.index), match[0], text.slice(end)];
}
