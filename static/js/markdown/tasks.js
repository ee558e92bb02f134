/**
 * Tasks of a list (`- [x] …`) and `<br>`, of which tables make their lines. Pure.
 */

const TASK = /^\[([ xX])\][ \u00a0]+/;
const BREAK = /^<br[ \t]*\/?>/i;

/** @param {any} md an instance of markdown-it */
export function tasksAndBreaks(md) {
  md.core.ruler.after('text_join', 'tasks', tasks);
  md.inline.ruler.before('autolink', 'break', lineBreak);
}

/** @param {any} state */
function tasks({ tokens, Token }) {
  tokens.forEach((/** @type {any} */ token, /** @type {number} */ index) => {
    const first = token.type === 'inline' && token.children[0];
    if (!first || first.type !== 'text' || tokens[index - 2]?.type !== 'list_item_open') return;
    const match = TASK.exec(first.content);
    if (!match || !TASK.test(token.content)) return; // an escaped bracket
    const task = new Token('task', 'span', 0);
    task.meta = match[1] !== ' ';
    first.content = first.content.slice(match[0].length);
    token.children.unshift(task);
  });
}

/** @param {any} state @param {boolean} silent */
function lineBreak(state, silent) {
  if (state.src[state.pos] !== '<') return false;
  const match = BREAK.exec(state.src.slice(state.pos, Math.min(state.pos + 16, state.posMax)));
  if (!match) return false;
  if (!silent) state.push('hardbreak', 'br', 0);
  state.pos += match[0].length;
  while (state.pos < state.posMax && /[ \n]/.test(state.src[state.pos])) state.pos += 1;
  return true;
}
