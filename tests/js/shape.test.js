/** The page's own rules: small modules, one direction, no HTML strings, no addresses in the lock. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../../', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, ROOT), 'utf8');
const modules = readdirSync(new URL('static/js/', ROOT), { recursive: true }).map(String).filter((name) => name.endsWith('.js'));
const MODULE_LINES = 300;

/** Who may import whom: a folder sees itself, and the folders named here. */
const SEES = {
  core: [], net: ['core'], markdown: ['core'], ui: ['core'],
  account: ['core', 'net', 'ui'], suppliers: ['core', 'net', 'ui', 'chat'], sessions: ['core', 'net', 'ui'],
  knowledge: ['core', 'net', 'ui', 'chat'], chat: ['core', 'net', 'ui', 'markdown', 'sessions'],
};

test('no module is longer than 300 lines', () => {
  for (const name of modules) assert.ok(read(`static/js/${name}`).split('\n').length <= MODULE_LINES + 1, name);
});

test('imports go in one direction', () => {
  for (const name of modules.filter((module) => module.includes('/'))) {
    const folder = name.split('/')[0];
    for (const [, other] of read(`static/js/${name}`).matchAll(/^import .* from '\.\.\/(\w+)\//gm)) {
      assert.ok(SEES[folder].includes(other), `${name} imports ${other}`);
    }
  }
});

test('text becomes HTML in one place only', () => {
  for (const name of modules) {
    assert.doesNotMatch(read(`static/js/${name}`), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, name);
    if (name !== 'markdown/safe.js') assert.doesNotMatch(read(`static/js/${name}`), /purify/i, name);
  }
});

test('templates hold no inline script, style or handler', () => {
  const pages = readdirSync(new URL('templates/', ROOT), { recursive: true }).map(String).filter((name) => name.endsWith('.html'));
  for (const name of pages) assert.doesNotMatch(read(`templates/${name}`), /\sstyle=|\son\w+=|<style|javascript:/i, name);
});

test('the lock names no address, and every package has its hash', () => {
  const { packages } = JSON.parse(read('package-lock.json'));
  assert.doesNotMatch(read('package-lock.json'), /"resolved"|registry/);
  for (const [name, entry] of Object.entries(packages)) if (name) assert.ok(entry.integrity, name);
  assert.match(read('.npmrc'), /omit-lockfile-registry-resolved=true/);
});
