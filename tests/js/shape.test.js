/**
 * Rules for the page's modules: import directions, no HTML strings, no URLs in the lock file.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../../', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, ROOT), 'utf8');
const modules = readdirSync(new URL('static/js/', ROOT), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.js'));

/** A folder may import from itself and from the folders listed here. */
const SEES = {
  core: [],
  net: ['core'],
  markdown: ['core'],
  ui: ['core'],
  account: ['core', 'net', 'ui'],
  suppliers: ['core', 'net', 'ui', 'chat'],
  find: ['core', 'net', 'ui'],
  sessions: ['core', 'net', 'ui'],
  knowledge: ['core', 'net', 'ui', 'chat'],
  chat: ['core', 'net', 'ui', 'markdown', 'sessions'],
};

test('imports go in one direction', () => {
  for (const name of modules.filter((module) => module.includes('/'))) {
    const folder = name.split('/')[0];
    const imported = read(`static/js/${name}`).matchAll(/from '\.\.\/(\w+)\/[^']*';/g);
    for (const [, other] of imported) {
      assert.ok(SEES[folder].includes(other), `${name} imports ${other}`);
    }
  }
});

test('text becomes HTML in one place only', () => {
  for (const name of modules) {
    assert.doesNotMatch(
      read(`static/js/${name}`),
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
      name,
    );
    if (name !== 'markdown/safe.js') {
      assert.doesNotMatch(read(`static/js/${name}`), /purify/i, name);
    }
  }
});

test('templates hold no inline script, style or handler', () => {
  const pages = readdirSync(new URL('templates/', ROOT), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.html'));
  for (const name of pages) {
    assert.doesNotMatch(read(`templates/${name}`), /\sstyle=|\son\w+=|<style|javascript:/i, name);
  }
});

test('package-lock.json holds hashes and no URLs', () => {
  const { packages } = JSON.parse(read('package-lock.json'));
  assert.doesNotMatch(read('package-lock.json'), /"resolved"|registry/);
  for (const [name, entry] of Object.entries(packages)) if (name) assert.ok(entry.integrity, name);
  assert.match(read('.npmrc'), /omit-lockfile-registry-resolved=true/);
});
