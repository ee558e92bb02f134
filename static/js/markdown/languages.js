/**
 * The programming languages that are coloured, with the names they have in answers. Pure.
 * `scripts/vendor.py` copies their grammars.
 */

/** File in `static/vendor/highlight`: other names, in lower case. */
const NAMES = {
  bash: 'sh zsh ksh fish',
  c: 'h',
  clojure: 'clj cljs edn',
  cmake: '',
  cpp: 'c++ cc cxx hpp hh hxx',
  csharp: 'cs c#',
  css: '',
  dart: '',
  diff: 'patch',
  dockerfile: 'docker containerfile',
  dos: 'bat batch cmd',
  elixir: 'ex exs',
  erlang: 'erl',
  fsharp: 'fs f#',
  go: 'golang',
  graphql: 'gql',
  groovy: 'gradle',
  haskell: 'hs',
  http: 'https',
  ini: 'toml conf cfg systemd',
  java: '',
  javascript: 'js jsx mjs cjs node',
  json: 'jsonc json5 jsonl ndjson',
  julia: 'jl',
  kotlin: 'kt kts',
  latex: 'tex',
  less: '',
  lisp: 'elisp scheme',
  lua: '',
  makefile: 'make mk',
  markdown: 'md',
  matlab: 'octave',
  nginx: 'nginxconf',
  nix: '',
  objectivec: 'objc objective-c mm',
  ocaml: 'ml',
  perl: 'pl pm',
  php: '',
  powershell: 'ps ps1 pwsh',
  properties: 'dotenv env',
  protobuf: 'proto proto3',
  python: 'py python3 py3 ipython pyi',
  'python-repl': 'pycon',
  r: 'rscript',
  ruby: 'rb',
  rust: 'rs',
  scala: '',
  scss: 'sass',
  shell: 'console shellsession sh-session shell-session terminal',
  sql: 'mysql postgres postgresql psql sqlite plsql tsql',
  swift: '',
  typescript: 'ts tsx mts cts',
  vbnet: 'vb vba',
  vim: 'viml',
  xml: 'html xhtml svg vue svelte rss xsd xsl plist htm',
  yaml: 'yml',
};

/** Grammars that a grammar uses for parts of a text; without them these parts stay plain. */
const PARTS = {
  dockerfile: ['bash'],
  http: ['json'],
  javascript: ['xml'],
  markdown: ['xml'],
  'python-repl': ['python'],
  shell: ['bash'],
  typescript: ['xml'],
  xml: ['css', 'javascript'],
};

/** @type {Map<string, string>} */
const LANGUAGES = new Map(
  Object.entries(NAMES).flatMap(([file, names]) =>
    [file, ...names.split(' ').filter(Boolean)].map((name) => [name, file]),
  ),
);

/** @param {string} name as in the head of a code block @returns {string|null} its language */
export const languageOf = (name) => LANGUAGES.get(name.toLowerCase()) ?? null;

/** @param {string} language @returns {string[]} its grammar and those it uses */
export const grammarsOf = (language) => [
  language,
  ...(/** @type {Record<string, string[]>} */ (PARTS)[language] ?? []),
];

export const languages = Object.keys(NAMES);
