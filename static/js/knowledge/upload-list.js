/**
 * The list of uploads: a row for each one worth showing, and a summary above. Used in the composer
 * for all uploads, and in the knowledge dialog for one base.
 */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { confirm } from '../ui/dialog.js';
import { Rows } from '../ui/rows.js';
import { announce } from '../ui/announce.js';
import { counts, isEnded, isFound, isRetryable, worthShowing } from './upload-job.js';
import { describe, stateOfJob } from './file-state.js';

/** @typedef {import('./upload-job.js').Job} Job */

const ROWS = 30;
/** Above this, running uploads are only counted, unless one has failed. */
const COUNTED = 12;
/** Above this, cancelling all is confirmed. */
const MANY = 3;

export class UploadList {
  #root;
  #queue;
  #only;
  #open;
  #rows;
  #frame = 0;
  /** @type {boolean|null} as the user has chosen; null: by their number */ #folded = null;
  #announced = '';

  /**
   * @param {HTMLElement} host
   * @param {{queue: import('./upload-queue.js').UploadQueue, only?: (job: Job) => boolean,
   *   open: (base: string, file: string) => void}} deps `open` shows a file in its base
   */
  constructor(host, { queue, only = () => true, open }) {
    this.#root = clone('uploads');
    host.append(this.#root);
    this.#queue = queue;
    this.#only = only;
    this.#open = open;
    this.#rows = new Rows(find(this.#root, '[data-upload-rows]'), {
      key: (job) => job.id,
      make,
      update,
    });
    this.#listen();
    queue.subscribe(() => this.#soon());
    this.draw();
  }

  draw() {
    this.#frame = 0;
    const jobs = this.#jobs();
    const all = counts(jobs);
    const { shown, more } = worthShowing(jobs, ROWS);
    const folded = this.#isFolded(all);
    this.#root.hidden = !jobs.length;
    find(this.#root, '[data-uploads-head]').hidden = jobs.length < 2;
    find(this.#root, '[data-upload-rows]').hidden = folded && jobs.length > 1;
    this.#rows.show(shown);
    showText(
      find(this.#root, '[data-uploads-more]'),
      more && !folded ? count('documents.more', more) : '',
    );
    this.#drawHead(all);
    this.#drawHeld();
    this.#announceEnd(jobs, all);
  }

  /** @param {ReturnType<typeof counts>} all */
  #isFolded({ total, open, failed }) {
    return this.#folded ?? (total > COUNTED && open > 0 && !failed);
  }

  #jobs() {
    return this.#queue.jobs.filter(this.#only);
  }

  /** @param {ReturnType<typeof counts>} all */
  #drawHead(all) {
    const root = this.#root;
    find(root, '[data-uploads-summary]').textContent = summary(all);
    const bar = findAs(root, '[data-uploads-progress]', HTMLProgressElement);
    bar.hidden = !all.open;
    bar.value = all.share * 100;
    root.dataset.state = all.open ? 'open' : all.failed ? 'failed' : 'ready';
    const again = find(root, '[data-uploads-retry]');
    again.hidden = !all.retryable;
    find(again, '[data-label]').textContent = count('documents.retry_failed', all.retryable);
    find(root, '[data-uploads-fold]').setAttribute('aria-expanded', String(!this.#isFolded(all)));
    const close = find(root, '[data-uploads-close]');
    close.title = t(all.open ? 'documents.cancel_all' : 'documents.hide_all');
    close.setAttribute('aria-label', close.title);
  }

  #drawHeld() {
    const { held } = this.#queue;
    const waits =
      held &&
      this.#jobs().some(
        (job) => job.status === 'waiting' || (job.status === 'failed' && isRetryable(job)),
      );
    find(this.#root, '[data-uploads-held]').hidden = !waits;
    if (!held) return;
    find(this.#root, '[data-held-text]').textContent = held.message;
    find(this.#root, '[data-held-sign-in]').hidden = held.code !== 'unauthorized';
  }

  /**
   * Announce when all uploads have ended.
   * @param {Job[]} jobs
   * @param {ReturnType<typeof counts>} all
   */
  #announceEnd(jobs, all) {
    const text = jobs.length && !all.open ? summary(all) : '';
    if (text && text !== this.#announced) announce(text);
    this.#announced = text;
  }

  #listen() {
    const root = this.#root;
    /** @param {string} hook @param {(job: Job) => unknown} run */
    const onRow = (hook, run) =>
      delegate(root, 'click', hook, (button) => {
        const id = Number(button.closest('[data-upload]')?.getAttribute('data-upload'));
        const job = this.#queue.jobs.find((one) => one.id === id);
        if (job) run(job);
      });
    onRow('[data-upload-cancel]', (job) => this.#queue.cancel(job));
    onRow('[data-upload-retry]', (job) => this.#queue.retry(job));
    onRow('[data-upload-show]', (job) => job.stored && this.#open(job.base, job.stored.id));
    const on = (/** @type {string} */ hook, /** @type {() => unknown} */ run) =>
      find(root, hook).addEventListener('click', run);
    on('[data-uploads-retry]', () => this.#queue.retryAll(this.#jobs()));
    on('[data-held-go]', () => this.#resume());
    on('[data-uploads-close]', () => this.#close());
    on('[data-uploads-fold]', () => {
      this.#folded = !this.#isFolded(counts(this.#jobs()));
      this.draw();
    });
  }

  /** Resume, and retry uploads that failed for the same reason. */
  #resume() {
    const code = this.#queue.held?.code;
    for (const job of this.#jobs()) if (job.problem?.code === code) void this.#queue.retry(job);
    this.#queue.resume();
  }

  async #close() {
    const jobs = this.#jobs();
    const open = jobs.filter((job) => !isEnded(job));
    if (!open.length) return this.#queue.tidy(jobs);
    if (
      open.length > MANY &&
      !(await confirm(count('documents.cancel_all.ask', open.length), t('documents.cancel_all')))
    ) {
      return;
    }
    await this.#queue.cancelAll(open);
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }
}

/** @param {ReturnType<typeof counts>} all @returns {string} */
function summary({ total, found, failed, open }) {
  if (failed) return t('documents.summary.failed', { found, total, failed });
  return open ? t('documents.summary', { found, total }) : count('documents.summary.done', total);
}

/** @param {Job} job */
function make(job) {
  const row = fill(clone('upload'), { name: job.name });
  row.dataset.upload = String(job.id);
  find(row, '[data-slot="name"]').title = job.path || job.name;
  find(row, '[data-progress]').setAttribute('aria-label', job.name);
  const again = find(row, '[data-upload-retry]');
  again.setAttribute('aria-label', t('documents.retry_file', { name: job.name }));
  find(row, '[data-upload-show]').setAttribute(
    'aria-label',
    t('documents.show_file', { name: job.name }),
  );
  return row;
}

/** @param {HTMLElement} row @param {Job} job */
function update(row, job) {
  const { percent, bad } = stateOfJob(job);
  row.dataset.status = job.status;
  row.toggleAttribute('data-duplicate', job.duplicate);
  const note = describe(job);
  const state = find(row, '[data-slot="state"]');
  if (state.textContent !== note) state.textContent = note;
  state.title = bad ? note : '';
  const bar = findAs(row, '[data-progress]', HTMLProgressElement);
  bar.hidden = percent === null;
  bar.value = percent ?? 0;
  find(row, '[data-upload-retry]').hidden = !isRetryable(job);
  find(row, '[data-upload-show]').hidden = !(job.stored && (job.duplicate || isFound(job)));
  const close = find(row, '[data-upload-cancel]');
  const hides = isEnded(job) || job.duplicate;
  close.title = t(hides ? 'documents.hide' : 'documents.cancel');
  close.setAttribute(
    'aria-label',
    t(hides ? 'documents.hide_file' : 'documents.cancel_file', { name: job.name }),
  );
}
