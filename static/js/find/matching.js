/**
 * Which actions and knowledge bases a query names, and where its words are. Pure. Places count code
 * points, as the API does.
 *
 * @typedef {[number, number]} Mark start and end
 */

/** @param {string} query @returns {string[]} its words, without quotation marks */
export const wordsOf = (query) =>
  query
    .toLowerCase()
    .split(/[\s"“”「」]+/)
    .filter(Boolean);

/**
 * @param {string} text @param {string[]} words
 * @returns {boolean} whether all words occur, in any order and case
 */
export function matches(text, words) {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

/** @param {string} text @param {string[]} words @returns {boolean} whether the first begins it */
export const beginsWith = (text, words) =>
  words.length > 0 && text.toLowerCase().startsWith(words[0]);

/** @param {string} text @param {string[]} words @returns {Mark[]} in order, without overlaps */
export function marksIn(text, words) {
  const points = [...text.toLowerCase()];
  if (points.length !== [...text].length) return []; // a letter that changes its length
  const marked = new Array(points.length).fill(false);
  for (const word of words.map((each) => [...each])) {
    for (let at = 0; at + word.length <= points.length; at += 1) {
      if (word.every((point, n) => points[at + n] === point)) {
        marked.fill(true, at, at + word.length);
      }
    }
  }
  /** @type {Mark[]} */ const marks = [];
  marked.forEach((is, at) => {
    if (is && !marked[at - 1]) marks.push([at, at + 1]);
    else if (is) marks[marks.length - 1][1] = at + 1;
  });
  return marks;
}

/**
 * @param {string} text @param {Mark[]} marks
 * @returns {{text: string, marked: boolean}[]} the text in parts
 */
export function parts(text, marks) {
  const points = [...text];
  const found = [];
  let from = 0;
  for (const [start, end] of marks) {
    found.push({ text: points.slice(from, start).join(''), marked: false });
    found.push({ text: points.slice(start, end).join(''), marked: true });
    from = end;
  }
  found.push({ text: points.slice(from).join(''), marked: false });
  return found.filter((part) => part.text);
}
