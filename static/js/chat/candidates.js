/**
 * How the passages of an answer were chosen: the query, and a table of the candidates with their
 * scores and what became of each.
 */
import { clone, fill, find, findAs, showText } from '../core/dom.js';
import { fileName, place, score } from '../core/format.js';
import { count, t } from '../core/i18n.js';

/** @typedef {import('../types.js').AnswerSearch} AnswerSearch */
/** @typedef {import('../types.js').Candidate} Candidate */
/** @typedef {import('../types.js').Source} Source */

/** How many of the candidates that were left out are shown at first. */
const SHOWN = 3;
/** Why candidates were left out, in the order of their groups. */
const LEFT_OUT = ['no_room', 'copy', 'below_k', 'gone'];
/** @type {('words'|'vectors'|'rerank')[]} */
const RANKINGS = ['words', 'vectors', 'rerank'];

/**
 * @param {HTMLElement} body
 * @param {AnswerSearch} search
 * @param {(source: Source) => void} show shows a passage in its document
 */
export function showSearch(body, search, show) {
  const { candidates, cut } = search;
  const root = fill(clone('search'), { query: search.query });
  showText(find(root, '[data-search-facts]'), facts(search).join(' · '));
  showText(
    find(root, '[data-search-history]'),
    cut.history ? count('why.history', cut.history) : '',
  );
  const table = find(root, 'table');
  table.hidden = !candidates.length;
  table.append(...groups(search, show));
  const unused = RANKINGS.filter((name) =>
    candidates.every(({ by }) => typeof by[name] !== 'number'),
  );
  for (const name of unused) {
    for (const cell of table.querySelectorAll(`[data-ranking="${name}"]`)) cell.remove();
  }
  for (const title of table.querySelectorAll('th[colspan]')) {
    title.setAttribute('colspan', String(2 + RANKINGS.length - unused.length));
  }
  shorten(root);
  body.replaceChildren(root);
}

/**
 * The candidates in the passages, then those left out, by reason.
 * @param {AnswerSearch} search @param {(source: Source) => void} show
 */
function groups({ candidates, k }, show) {
  return ['', ...LEFT_OUT]
    .map((reason) => ({
      reason,
      rows: candidates
        .filter(({ n, cut }) => (n === null ? LEFT_OUT.find((one) => one === cut) : '') === reason)
        .map((candidate) => candidateRow(candidate, show)),
    }))
    .filter(({ rows }) => rows.length)
    .map(({ reason, rows }) => {
      const group = clone('candidates');
      group.dataset.candidates = reason;
      showText(find(group, '[data-candidates-title]'), reason && t(`why.cut.${reason}`, { k }));
      find(group, '[data-candidates-head]').hidden = !reason;
      group.append(...rows);
      return group;
    });
}

/** Hide all but the first candidates that were left out. @param {HTMLElement} root */
function shorten(root) {
  const left = '[data-candidates]:not([data-candidates=""])';
  const rows = [...root.querySelectorAll(`${left} [data-candidate]`)].slice(SHOWN);
  const more = find(root, '[data-search-more]');
  if (rows.length < 2) return;
  const hide = (/** @type {boolean} */ hidden) => {
    for (const row of rows) row.toggleAttribute('hidden', hidden);
    for (const group of root.querySelectorAll(left)) {
      group.toggleAttribute('hidden', !group.querySelector('[data-candidate]:not([hidden])'));
    }
  };
  hide(true);
  showText(more, count('why.more', rows.length));
  more.onclick = () => {
    hide(false);
    more.hidden = true;
    rows[0].querySelector('button')?.focus();
  };
}

/** @param {AnswerSearch} search @returns {string[]} */
function facts({ candidates, found }) {
  if (!found) return [t('why.nothing')];
  const given = new Set(candidates.map(({ n }) => n).filter((n) => n !== null)).size;
  const sentences = [count('why.found', found), count('why.given', given)];
  if (candidates.length < found) sentences.push(count('why.listed', candidates.length));
  return sentences;
}

/** @param {Candidate} candidate @param {(source: Source) => void} show */
function candidateRow(candidate, show) {
  const { n, cut, name, by } = candidate;
  const row = clone('candidate');
  row.dataset.candidate = cut ?? '';
  showText(find(row, '[data-candidate-n]'), cut || n === null ? '' : String(n));
  const open = findAs(row, '[data-candidate-open]', HTMLButtonElement);
  open.textContent = name === null ? t('why.deleted') : fileName(name);
  open.disabled = candidate.start === null;
  open.addEventListener('click', () => show(sourceOf(candidate)));
  const joined = cut === 'joined' ? t('why.cut.joined', { n: n ?? '' }) : '';
  const where = [place(candidate, { brief: true }), joined].filter(Boolean).join(' · ');
  showText(find(row, '[data-candidate-place]'), where);
  for (const ranking of RANKINGS) {
    const value = by[ranking];
    const cell = find(row, `[data-ranking="${ranking}"]`);
    if (typeof value === 'number') cell.textContent = score(value);
    else cell.replaceChildren(...missing(ranking));
  }
  return row;
}

/** @param {string} ranking @returns {Node[]} a dash, and what it means for those who hear it */
function missing(ranking) {
  const dash = document.createElement('span');
  dash.ariaHidden = 'true';
  dash.textContent = '–';
  const words = document.createElement('span');
  words.className = 'visually-hidden';
  words.textContent = t(`why.not.${ranking}`);
  return [dash, words];
}

/** @param {Candidate} candidate @returns {Source} */
function sourceOf({ n, file_id, knowledge_base_id, name, start, end }) {
  return {
    n: n ?? 0,
    file_id: file_id ?? '',
    knowledge_base_id: knowledge_base_id ?? '',
    md5: '',
    name: name ?? '',
    start: start ?? 0,
    end: end ?? 0,
  };
}
