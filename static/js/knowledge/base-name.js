/** Derives the name of a new knowledge base from its files. Pure. */

const WIDTH = 48; // Latin letters; a Chinese character counts two
/** Characters that take the space of two Latin ones: East Asian scripts and full-width forms. */
const WIDE = new RegExp(
  '[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe4f\\uff00-\\uff60]' +
    '|[\\u{20000}-\\u{3fffd}]',
  'u',
);
const EXTENSION = /(?<=.)(\.tar)?\.[\p{L}\p{N}]{1,8}$/u;

/**
 * The name of the folder that holds all files; of one file, its name without extension; of several,
 * how many they are. A long one is cut at a word.
 * @param {{file: {name: string}, path: string}[]} files
 * @param {(n: number) => string} several @returns {string}
 */
export function baseName(files, several) {
  const [folder, ...others] = new Set(
    files.map(({ path }) => path.split('/').filter(Boolean).slice(0, -1)[0]),
  );
  if (files.length > 1 && (others.length || !folder)) return several(files.length);
  const stem = folder ?? files[0]?.file.name.replace(EXTENSION, '') ?? '';
  return cut(
    stem
      .normalize('NFC')
      .replace(/[\s_]+/g, ' ')
      .trim(),
  );
}

/** @param {string} text @returns {string} */
function cut(text) {
  let width = 0;
  let kept = '';
  for (const character of text) {
    width += WIDE.test(character) ? 2 : 1;
    if (width > WIDTH) return `${atWord(kept)}…`;
    kept += character;
  }
  return kept;
}

/** Drop a truncated last word, if that leaves most of the name. @param {string} text */
function atWord(text) {
  const space = text.lastIndexOf(' ');
  return (space > text.length / 2 ? text.slice(0, space) : text).replace(/[\s\-–—,.(]+$/, '');
}
