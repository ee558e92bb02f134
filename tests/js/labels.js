/** The words of a renderer in tests. */
export const LABELS = {
  copy: 'Copy',
  wrap: 'Wrap',
  csv: 'CSV',
  draw: 'Draw',
  citation: (/** @type {number} */ n) => `Source ${n}`,
  done: 'Done',
  open: 'To do',
  fold: 'Details',
  footnote: (/** @type {number} */ n) => `Footnote ${n}`,
  footnotes: 'Footnotes',
  back: 'Back',
};
