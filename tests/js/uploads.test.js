/**
 * UploadQueue with a fake server and clock: no error may lose a file.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesOf, MOST_FILES } from '../../static/js/knowledge/drop.js';
import { counts, worthShowing } from '../../static/js/knowledge/upload-job.js';
import { baseName } from '../../static/js/knowledge/base-name.js';
import { UploadQueue } from '../../static/js/knowledge/upload-queue.js';
import { ApiError } from '../../static/js/net/api.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

/**
 * A fake server of one base, and a queue that sends to it. Time passes only by `tick`.
 */
class FakeServer {
  /** @type {any[]} */ stored = [];
  /** @type {string[]} */ requests = [];
  /** @type {any[]} */ sending = [];
  /** @type {(() => void)[]} */ waiting = [];
  reportedErrors = 0;
  reachable = true;
  /** @type {Record<string, any>} errors of uploads, by file name */ faults = {};

  constructor() {
    this.queue = new UploadQueue({
      send: (base, file, progress, signal) => this.#send(file, progress, signal),
      api: {
        get: (path) => this.#get(path),
        post: (path) => this.#retry(path),
        delete: (path) => this.#delete(path),
      },
      refuse: (file) => (file.size > 1000 ? { code: 'too_large', message: 'too large' } : null),
      wait: (ms, signal) =>
        new Promise((resolve) => {
          this.waiting.push(resolve);
          signal.addEventListener('abort', () => resolve());
        }),
      visible: async () => {},
      basesChanged: () => {},
      reportError: () => {
        this.reportedErrors += 1;
      },
    });
  }

  /** @param {...string} names */
  add(...names) {
    this.queue.add(
      'base',
      names.map((name) => ({ file: /** @type {any} */ ({ name, size: 10 }), path: '' })),
    );
  }

  /** End all current waits and settle. */
  async tick() {
    await settled();
    for (const resolve of this.waiting.splice(0)) resolve();
    await settled();
  }

  /** Complete the uploads in progress. */
  async arrive() {
    await settled();
    for (const one of this.sending.splice(0)) one.arrive();
    await settled();
  }

  async arriveAll() {
    while (this.queue.unsent() && !this.queue.held) await this.arrive();
  }

  statuses() {
    return this.queue.jobs.map((job) => job.status);
  }

  #send(file, progress, signal) {
    return new Promise((resolve, reject) => {
      const arrive = () => {
        if (this.faults[file.name]) return reject(this.faults[file.name]);
        const there = this.stored.find((one) => one.name === file.name);
        if (there) return resolve({ ...there, duplicate: true });
        const made = {
          id: `f-${file.name}`,
          name: file.name,
          size: file.size,
          status: 'queued',
          knowledge_base_id: 'made',
        };
        this.stored.unshift(made);
        resolve({ ...made });
      };
      this.sending.push({ file, progress, arrive });
      signal.addEventListener('abort', () => reject(new ApiError('aborted', '')));
    });
  }

  async #get(path) {
    this.requests.push(path);
    if (!this.reachable) throw new ApiError('offline', 'no');
    const limit = Number(/limit=(\d+)/.exec(path)?.[1] ?? 0);
    if (limit) return { items: this.stored.slice(0, limit).map((one) => ({ ...one })), next: null };
    const one = this.stored.find((file) => path.endsWith(file.id));
    if (!one && path.includes('/files/')) throw new ApiError('not_found', 'gone', { status: 404 });
    return one ?? { items: [] };
  }

  async #retry(path) {
    const one = this.stored.find((file) => path.includes(`${file.id}/retry`));
    Object.assign(one, { status: 'queued', error: null });
    return { ...one };
  }

  async #delete(path) {
    this.stored = this.stored.filter((file) => !path.endsWith(file.id));
  }
}

const offline = () => new ApiError('offline', 'no');
const refused = (code, status) => new ApiError(code, `${code}!`, { status });

test('a new base is made by one file at a time, until one is accepted', async () => {
  const server = new FakeServer();
  const names = ['big', 'one', 'two', 'three'];
  server.queue.add(
    'new:1',
    names.map((name) => ({ file: /** @type {any} */ ({ name, size: 10 }), path: '' })),
  );
  server.faults.big = refused('too_large', 413);
  assert.equal(server.sending.length, 1);
  await server.arrive();
  assert.equal(server.sending.length, 1);
  assert.deepEqual(server.statuses().slice(0, 2), ['failed', 'sending']);
  await server.arrive();
  assert.equal(server.sending.length, 2);
  assert.deepEqual([...new Set(server.queue.jobs.map(({ base }) => base))], ['made']);
});

test('many files are sent a few at a time and polled by one list', async () => {
  const server = new FakeServer();
  server.add(...Array.from({ length: 200 }, (_, n) => `${n}.txt`));
  assert.equal(server.sending.length, 3);
  await server.arriveAll();
  assert.equal(server.queue.unsent(), 0);
  for (const file of server.stored) file.status = file.name === '7.txt' ? 'failed' : 'ready';
  server.requests = [];
  await server.tick();
  assert.deepEqual(server.requests, ['/api/knowledge/base/files?limit=220']);
  const { total, found, failed, open, share } = counts(server.queue.jobs);
  assert.deepEqual([total, found, failed, open, share], [200, 199, 1, 0, 1]);
  await server.tick();
  assert.equal(server.requests.length, 1, 'polling has stopped');
});

test('a refused file keeps its reason and can be retried; others continue', async () => {
  const server = new FakeServer();
  server.faults['b.txt'] = refused('too_large', 413);
  server.add('a.txt', 'b.txt', 'c.txt');
  await server.arriveAll();
  assert.deepEqual(server.statuses(), ['queued', 'failed', 'queued']);
  assert.equal(server.queue.jobs[1].problem?.message, 'too_large!');
  delete server.faults['b.txt'];
  await server.queue.retry(server.queue.jobs[1]);
  await server.arriveAll();
  assert.deepEqual(server.statuses(), ['queued', 'queued', 'queued']);
});

test('a file over the size limit is not sent', () => {
  const server = new FakeServer();
  server.queue.add('base', [
    { file: /** @type {any} */ ({ name: 'film.mp4', size: 5000 }), path: '' },
  ]);
  assert.deepEqual(server.statuses(), ['failed']);
  assert.equal(server.sending.length, 0);
  assert.equal(counts(server.queue.jobs).retryable, 0);
});

test('without a connection all files wait and resume automatically', async () => {
  const server = new FakeServer();
  for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt']) server.faults[name] = offline();
  server.reachable = false;
  server.add('a.txt', 'b.txt', 'c.txt', 'd.txt');
  await server.arrive();
  assert.deepEqual(server.statuses(), ['waiting', 'waiting', 'waiting', 'waiting']);
  assert.equal(server.queue.held?.passing, true);
  await server.tick();
  assert.ok(server.queue.held, 'the server is still away');
  assert.equal(server.sending.length, 0);
  server.reachable = true;
  server.faults = {};
  await server.tick();
  assert.equal(server.queue.held, null);
  await server.arriveAll();
  assert.deepEqual(server.statuses(), ['queued', 'queued', 'queued', 'queued']);
});

test('a file that breaks off repeatedly fails in the end', async () => {
  const server = new FakeServer();
  server.faults['a.txt'] = offline();
  server.add('a.txt', 'b.txt');
  for (let round = 0; round < 3; round += 1) {
    await server.arrive();
    await server.tick();
  }
  await server.arriveAll();
  assert.deepEqual(server.statuses(), ['failed', 'queued']);
  assert.equal(server.queue.jobs[0].problem?.code, 'interrupted');
  assert.equal(server.queue.held, null);
});

test('a full disk or a lost login holds the queue until it is resumed', async () => {
  for (const [code, status] of [
    ['disk_full', 507],
    ['unauthorized', 401],
  ]) {
    const server = new FakeServer();
    server.faults['a.txt'] = refused(code, status);
    server.add('a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt');
    await server.arrive();
    assert.equal(server.queue.held?.code, code);
    assert.deepEqual(server.statuses(), ['failed', 'queued', 'queued', 'waiting', 'waiting']);
    assert.equal(server.queue.unsent(), 2);
    await server.arrive();
    assert.equal(server.queue.unsent(), 2, 'nothing is sent by itself');
    server.faults = {};
    await server.queue.retryAll();
    await server.arriveAll();
    assert.deepEqual(server.statuses(), ['queued', 'queued', 'queued', 'queued', 'queued']);
  }
});

test('a file can be cancelled at every stage, a duplicate is not deleted', async () => {
  const server = new FakeServer();
  server.stored = [{ id: 'f-old.txt', name: 'old.txt', size: 10, status: 'queued' }];
  server.add('old.txt', 'sending.txt', 'sent.txt', 'waiting.txt');
  const [old, sending, sent, waiting] = server.queue.jobs;
  await server.queue.cancel(waiting);
  await server.queue.cancel(sending);
  await settled();
  server.sending.find((one) => one.file.name === 'sent.txt').progress(100);
  await server.queue.cancel(sent);
  assert.ok(sent.leaving, 'too late to abort');
  server.sending = server.sending.filter((one) => one.file.name !== 'sending.txt');
  await server.arrive();
  assert.deepEqual(
    server.stored.map((file) => file.name),
    ['old.txt'],
    'an upload that arrived is deleted',
  );
  assert.ok(old.duplicate);
  await server.queue.cancel(old);
  assert.deepEqual(
    server.stored.map((file) => file.name),
    ['old.txt'],
  );
  assert.equal(server.queue.jobs.length, 0);
  assert.equal(server.reportedErrors, 0);
});

test('cancelling deletes a file being read and hides a ready one', async () => {
  const server = new FakeServer();
  server.add('reading.txt', 'ready.txt');
  await server.arriveAll();
  server.stored.find((file) => file.name === 'ready.txt').status = 'ready';
  server.stored.find((file) => file.name === 'reading.txt').status = 'parsing';
  await server.tick();
  for (const job of [...server.queue.jobs]) await server.queue.cancel(job);
  assert.deepEqual(
    server.stored.map((file) => file.name),
    ['ready.txt'],
  );
});

test('a deleted file leaves the list; an unlisted one is requested alone', async () => {
  const server = new FakeServer();
  server.add('a.txt', 'b.txt');
  await server.arriveAll();
  const [first] = server.stored.splice(
    server.stored.findIndex((file) => file.name === 'a.txt'),
    1,
  );
  server.stored = [
    ...Array.from({ length: 60 }, (_, n) => ({ id: `new-${n}`, name: `${n}`, status: 'ready' })),
    ...server.stored,
  ];
  server.stored.at(-1).status = 'ready';
  await server.tick();
  assert.equal(first.name, 'a.txt');
  assert.deepEqual(
    server.queue.jobs.map((job) => [job.name, job.status]),
    [['b.txt', 'ready']],
  );
});

test('a file that failed in parsing is parsed again, not sent again', async () => {
  const server = new FakeServer();
  server.add('a.pdf');
  await server.arriveAll();
  Object.assign(server.stored[0], {
    status: 'failed',
    error: { code: 'unreadable_file', message: 'damaged' },
  });
  await server.tick();
  assert.deepEqual(
    server.queue.jobs.map((job) => job.problem?.message),
    ['damaged'],
  );
  await server.queue.retryAll();
  assert.deepEqual(server.statuses(), ['queued']);
  assert.equal(server.sending.length, 0);
});

test('a file whose vectors wait for an embedder counts as found', async () => {
  const server = new FakeServer();
  server.add('a.pdf');
  await server.arriveAll();
  Object.assign(server.stored[0], {
    status: 'embedding',
    error: { code: 'embedder_unavailable', message: 'away' },
  });
  await server.tick();
  await server.tick();
  const requests = server.requests.length;
  await server.tick();
  assert.equal(server.requests.length, requests);
  assert.deepEqual(counts(server.queue.jobs).found, 1);
  const again = server.queue.retry(server.queue.jobs[0]);
  assert.deepEqual(server.statuses(), ['embedding']);
  await again;
  assert.equal(server.queue.jobs[0].problem, null);
});

test('of many files failed ones come first and ready ones are hidden', () => {
  /** @type {any[]} */
  const jobs = Array.from({ length: 100 }, (_, id) => ({
    id,
    status: id < 50 ? 'ready' : 'waiting',
    stored: null,
    duplicate: false,
  }));
  jobs[80].status = 'failed';
  const { shown, more } = worthShowing(jobs, 10);
  assert.deepEqual(
    shown.map((job) => job.id),
    [80, 50, 51, 52, 53, 54, 55, 56, 57, 58],
  );
  assert.equal(more, 40);
  assert.equal(worthShowing(jobs.slice(0, 5), 10).shown.length, 5);
  const few = worthShowing(jobs.slice(78, 82), 10).shown;
  assert.deepEqual(
    few.map((job) => job.id),
    [80, 78, 79, 81],
  );
});

test('a base is named after its file, its folder, or the number of its files', () => {
  const several = (/** @type {number} */ n) => `${n} documents`;
  const named = (/** @type {string} */ name, path = '') =>
    baseName([{ file: { name }, path }], several);
  const all = (/** @type {string[]} */ ...paths) =>
    baseName(
      paths.map((path) => ({ file: { name: 'a.md' }, path })),
      several,
    );
  assert.equal(all('', '', ''), '3 documents');
  assert.equal(all('North sea/a.md', 'North sea/ports/b.md'), 'North sea');
  assert.equal(all('North sea/a.md', 'Baltic/b.md'), '2 documents');
  assert.equal(all('', 'Baltic/b.md'), '2 documents');
  assert.equal(named('Employee Handbook 2026.pdf'), 'Employee Handbook 2026');
  assert.equal(named('员工手册 2026.pdf'), '员工手册 2026');
  assert.equal(named('backup.tar.gz'), 'backup');
  assert.equal(named('release_notes_v1.2.md'), 'release notes v1.2');
  assert.equal(named('.env'), '.env');
  assert.equal(named('LICENSE'), 'LICENSE');
  assert.equal(named('a.pdf', 'Contracts 2026/north/a.pdf'), 'Contracts 2026');
  assert.equal(
    named('A very long title of a report that nobody would ever read to its end.docx'),
    'A very long title of a report that nobody would…',
  );
  assert.equal(named(`${'手'.repeat(40)}.pdf`), `${'手'.repeat(24)}…`);
});

/** @param {string} fullPath @param {any[]|null} [children] @returns {any} */
function entry(fullPath, children = null) {
  const name = fullPath.split('/').at(-1);
  const batches = children ? [children.slice(0, 100), children.slice(100), []] : [];
  return {
    name,
    fullPath,
    isFile: !children,
    isDirectory: Boolean(children),
    file: (/** @type {(file: any) => void} */ done) => done({ name }),
    createReader: () => ({
      readEntries: (/** @type {(some: any[]) => void} */ done) => done(batches.shift() ?? []),
    }),
  };
}

test('a name is shown as the server stores it, without changes of the writing direction', () => {
  const server = new FakeServer();
  server.add('report\u202efdp.exe', 'Re\u0301sume\u0301.txt');
  assert.deepEqual(
    server.queue.jobs.map((job) => job.name),
    ['reportfdp.exe', 'Résumé.txt'],
  );
});

test('folders are walked recursively without hidden files', async () => {
  const inner = entry('/docs/inner', [entry('/docs/inner/c.txt')]);
  const clutter = ['/docs/.DS_Store', '/docs/Thumbs.db', '/docs/~$a.docx'].map((path) =>
    entry(path),
  );
  const files = await filesOf([
    entry('/top.txt'),
    entry('/docs', [entry('/docs/b10.txt'), entry('/docs/b2.txt'), inner, ...clutter]),
    entry('/.env'),
  ]);
  assert.deepEqual(
    files.map(({ file, path }) => [file.name, path]),
    [
      ['top.txt', ''],
      ['b2.txt', 'docs/b2.txt'],
      ['b10.txt', 'docs/b10.txt'],
      ['c.txt', 'docs/inner/c.txt'],
      ['.env', ''],
    ],
  );
});

test('a folder of several batches is read whole, up to the limit', async () => {
  const many = (/** @type {number} */ n) =>
    Array.from({ length: n }, (_, i) => entry(`/d/${i}.txt`));
  assert.equal((await filesOf([entry('/d', many(180))])).length, 180);
  assert.equal((await filesOf([entry('/d', many(MOST_FILES + 500))])).length, MOST_FILES + 1);
});
