/** The marks of suppliers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letters, tint } from '../../static/js/ui/monogram.js';

test('a mark is one or two letters of the name', () => {
  const marks = {
    OpenAI: 'OA',
    DeepSeek: 'DS',
    'Qwen (DashScope)': 'QD',
    Ollama: 'Ol',
    'LM Studio': 'LS',
    'llama.cpp': 'Ll',
    'https://api.example.com/v1': 'Ex',
    '127.0.0.1:8080': '12',
    智谱: '智',
    '': '·',
  };
  for (const [name, mark] of Object.entries(marks)) assert.equal(letters(name), mark, name);
});

test('a name has the same tint everywhere', () => {
  assert.equal(tint('OpenAI'), tint('openai'));
  assert.ok(new Set(['OpenAI', 'DeepSeek', 'Kimi', 'Ollama', 'GLM'].map(tint)).size > 1);
});
