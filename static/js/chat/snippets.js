/**
 * Code snippets that ask a question from a terminal or a program. Pure.
 *
 * @typedef {{url: string, token: boolean, body: Record<string, unknown>}} Request
 *   token: whether a token is required (CHATAPP_TOKEN); body: of POST /chat/stream
 */

/** Characters that need no quoting in a shell. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** @param {Request} request @returns {string} for POSIX shells */
export function curl({ url, token, body }) {
  return [
    `curl -N ${quoted(url)}`,
    ...(token ? ['-H "Authorization: Bearer $CHATAPP_TOKEN"'] : []),
    "-H 'Content-Type: application/json'",
    `-d ${quoted(object(body, 'null', '  '))}`,
  ].join(' \\\n  ');
}

/** @param {Request} request @returns {string} for Python's standard library */
export function python({ url, token, body }) {
  return `import json
${token ? 'import os\n' : ''}import urllib.request

body = ${object(body, 'None', '')}
request = urllib.request.Request(${JSON.stringify(url)}, json.dumps(body).encode())
request.add_header("Content-Type", "application/json")
${token ? 'request.add_header("Authorization", "Bearer " + os.environ["CHATAPP_TOKEN"])\n' : ''}
sources = []
with urllib.request.urlopen(request) as response:
    for line in response:
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            if event["type"] in ("chunk", "error"):
                print(event["data"], end="", flush=True)
            elif event["type"] == "sources":
                sources = event["data"]
print()
for source in sources:
    print(f"[{source['n']}] {source['name']}")
`;
}

/** @param {string} text @returns {string} one word for a shell */
function quoted(text) {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * @param {Record<string, unknown>} fields
 * @param {string} nothing
 * @param {string} indent
 * @returns {string} a line for each field
 */
function object(fields, nothing, indent) {
  const inner = `${indent}${indent ? '  ' : '    '}`;
  const lines = Object.entries(fields).map(
    ([name, value]) => `${inner}${JSON.stringify(name)}: ${literal(value, nothing)}`,
  );
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

/**
 * JSON strings and numbers are valid Python; null, true and false are not.
 * @param {unknown} value
 * @param {string} nothing the word for null
 * @returns {string}
 */
function literal(value, nothing) {
  if (value === null) return nothing;
  if (Array.isArray(value)) return `[${value.map((one) => literal(one, nothing)).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, nothing)}`)
    .join(', ')}}`;
}
