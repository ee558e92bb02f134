/**
 * Files on their way into a knowledge base, without a page and without a network: nothing is lost,
 * whatever goes wrong.
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
 * A server of one base, and a queue that sends to it. The clock stands still until a test lets it
 * go on.
 */
class World {
  /** @type {any[]} */ stored = [];
  /** @type {string[]} */ asked = [];
  /** @type {any[]} */ sending = [];
  /** @type {(() => void)[]} */ waiting = [];
  complaints = 0;
  reachable = true;
  /** @type {Record<string, any>} name to the error that sending it meets */ faults = {};

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
        this.complaints += 1;
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

  /** Let time pass once, and what follows from it happen. */
  async tick() {
    await settled();
    for (const resolve of this.waiting.splice(0)) resolve();
    await settled();
  }

  /** Let the server have what is being sent. */
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
        const made = { id: `f-${file.name}`, name: file.name, size: file.size, status: 'queued' };
        this.stored.unshift(made);
        resolve({ ...made });
      };
      this.sending.push({ file, progress, arrive });
      signal.addEventListener('abort', () => reject(new ApiError('aborted', '')));
    });
  }

  async #get(path) {
    this.asked.push(path);
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

test('many files are sent a few at a time and polled by one list', async () => {
  const world = new World();
  world.add(...Array.from({ length: 200 }, (_, n) => `${n}.txt`));
  assert.equal(world.sending.length, 3);
  await world.arriveAll();
  assert.equal(world.queue.unsent(), 0);
  for (const file of world.stored) file.status = file.name === '7.txt' ? 'failed' : 'ready';
  world.asked = [];
  await world.tick();
  assert.deepEqual(world.asked, ['/api/knowledge/base/files?limit=220']);
  const { total, found, failed, open, share } = counts(world.queue.jobs);
  assert.deepEqual([total, found, failed, open, share], [200, 199, 1, 0, 1]);
  await world.tick();
  assert.equal(world.asked.length, 1, 'nobody asks any more');
});

test('a refused file keeps its reason and can be retried; others continue', async () => {
  const world = new World();
  world.faults['b.txt'] = refused('too_large', 413);
  world.add('a.txt', 'b.txt', 'c.txt');
  await world.arriveAll();
  assert.deepEqual(world.statuses(), ['queued', 'failed', 'queued']);
  assert.equal(world.queue.jobs[1].problem?.message, 'too_large!');
  delete world.faults['b.txt'];
  await world.queue.retry(world.queue.jobs[1]);
  await world.arriveAll();
  assert.deepEqual(world.statuses(), ['queued', 'queued', 'queued']);
});

test('a file over the size limit is not sent', () => {
  const world = new World();
  world.queue.add('base', [
    { file: /** @type {any} */ ({ name: 'film.mp4', size: 5000 }), path: '' },
  ]);
  assert.deepEqual(world.statuses(), ['failed']);
  assert.equal(world.sending.length, 0);
  assert.equal(counts(world.queue.jobs).retryable, 0);
});

test('without a connection all files wait and resume automatically', async () => {
  const world = new World();
  for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt']) world.faults[name] = offline();
  world.reachable = false;
  world.add('a.txt', 'b.txt', 'c.txt', 'd.txt');
  await world.arrive();
  assert.deepEqual(world.statuses(), ['waiting', 'waiting', 'waiting', 'waiting']);
  assert.equal(world.queue.held?.passing, true);
  await world.tick();
  assert.ok(world.queue.held, 'the server is still away');
  assert.equal(world.sending.length, 0);
  world.reachable = true;
  world.faults = {};
  await world.tick();
  assert.equal(world.queue.held, null);
  await world.arriveAll();
  assert.deepEqual(world.statuses(), ['queued', 'queued', 'queued', 'queued']);
});

test('a file that breaks off repeatedly fails in the end', async () => {
  const world = new World();
  world.faults['a.txt'] = offline();
  world.add('a.txt', 'b.txt');
  for (let round = 0; round < 3; round += 1) {
    await world.arrive();
    await world.tick();
  }
  await world.arriveAll();
  assert.deepEqual(world.statuses(), ['failed', 'queued']);
  assert.equal(world.queue.jobs[0].problem?.code, 'interrupted');
  assert.equal(world.queue.held, null);
});

test('a full disk or a lost login holds the queue until it is resumed', async () => {
  for (const [code, status] of [
    ['disk_full', 507],
    ['unauthorized', 401],
  ]) {
    const world = new World();
    world.faults['a.txt'] = refused(code, status);
    world.add('a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt');
    await world.arrive();
    assert.equal(world.queue.held?.code, code);
    assert.deepEqual(world.statuses(), ['failed', 'queued', 'queued', 'waiting', 'waiting']);
    assert.equal(world.queue.unsent(), 2);
    await world.arrive();
    assert.equal(world.queue.unsent(), 2, 'nothing is sent by itself');
    world.faults = {};
    await world.queue.retryAll();
    await world.arriveAll();
    assert.deepEqual(world.statuses(), ['queued', 'queued', 'queued', 'queued', 'queued']);
  }
});

test('a file can be cancelled at every stage, a duplicate is not deleted', async () => {
  const world = new World();
  world.stored = [{ id: 'f-old.txt', name: 'old.txt', size: 10, status: 'queued' }];
  world.add('old.txt', 'sending.txt', 'sent.txt', 'waiting.txt');
  const [old, sending, sent, waiting] = world.queue.jobs;
  await world.queue.cancel(waiting);
  await world.queue.cancel(sending);
  await settled();
  world.sending.find((one) => one.file.name === 'sent.txt').progress(100);
  await world.queue.cancel(sent);
  assert.ok(sent.leaving, 'too late to abort');
  world.sending = world.sending.filter((one) => one.file.name !== 'sending.txt');
  await world.arrive();
  assert.deepEqual(
    world.stored.map((file) => file.name),
    ['old.txt'],
    'what had arrived is deleted',
  );
  assert.ok(old.duplicate);
  await world.queue.cancel(old);
  assert.deepEqual(
    world.stored.map((file) => file.name),
    ['old.txt'],
  );
  assert.equal(world.queue.jobs.length, 0);
  assert.equal(world.complaints, 0);
});

test('cancelling deletes a file being read and hides a ready one', async () => {
  const world = new World();
  world.add('reading.txt', 'ready.txt');
  await world.arriveAll();
  world.stored.find((file) => file.name === 'ready.txt').status = 'ready';
  world.stored.find((file) => file.name === 'reading.txt').status = 'parsing';
  await world.tick();
  for (const job of [...world.queue.jobs]) await world.queue.cancel(job);
  assert.deepEqual(
    world.stored.map((file) => file.name),
    ['ready.txt'],
  );
});

test('a deleted file leaves the list; an unlisted one is requested alone', async () => {
  const world = new World();
  world.add('a.txt', 'b.txt');
  await world.arriveAll();
  const [first] = world.stored.splice(
    world.stored.findIndex((file) => file.name === 'a.txt'),
    1,
  );
  world.stored = [
    ...Array.from({ length: 60 }, (_, n) => ({ id: `new-${n}`, name: `${n}`, status: 'ready' })),
    ...world.stored,
  ];
  world.stored.at(-1).status = 'ready';
  await world.tick();
  assert.equal(first.name, 'a.txt');
  assert.deepEqual(
    world.queue.jobs.map((job) => [job.name, job.status]),
    [['b.txt', 'ready']],
  );
});

test('a file that failed in parsing is parsed again, not sent again', async () => {
  const world = new World();
  world.add('a.pdf');
  await world.arriveAll();
  Object.assign(world.stored[0], {
    status: 'failed',
    error: { code: 'unreadable_file', message: 'damaged' },
  });
  await world.tick();
  assert.deepEqual(
    world.queue.jobs.map((job) => job.problem?.message),
    ['damaged'],
  );
  await world.queue.retryAll();
  assert.deepEqual(world.statuses(), ['queued']);
  assert.equal(world.sending.length, 0);
});

test('a file whose vectors wait for an embedder counts as found', async () => {
  const world = new World();
  world.add('a.pdf');
  await world.arriveAll();
  Object.assign(world.stored[0], {
    status: 'embedding',
    error: { code: 'embedder_unavailable', message: 'away' },
  });
  await world.tick();
  await world.tick();
  const asked = world.asked.length;
  await world.tick();
  assert.equal(world.asked.length, asked);
  assert.deepEqual(counts(world.queue.jobs).found, 1);
  const again = world.queue.retry(world.queue.jobs[0]);
  assert.deepEqual(world.statuses(), ['embedding']);
  await again;
  assert.equal(world.queue.jobs[0].problem, null);
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
});

test('a base is named after its first file or its folder', () => {
  const named = (/** @type {string} */ name, path = '') => baseName([{ file: { name }, path }]);
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
