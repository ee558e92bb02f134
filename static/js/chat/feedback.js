/** Feedback on an answer: up or down by a click, then a reason if the user gives one. */
import { clone, delegate, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { loadStyle, once } from '../core/lazy.js';
import { announce } from '../ui/announce.js';
import { toastError } from '../ui/toast.js';

/** @typedef {import('../types.js').Message} Message */
/** @typedef {import('../types.js').Feedback} Feedback */
/** @typedef {(answer: Message, feedback: Feedback|null) => Promise<unknown>} Store */

const style = once(() => loadStyle('feedback'));

/**
 * @param {Pick<import('../net/api.js').Api, 'put'|'delete'>} api
 * @param {Message} answer @param {Feedback|null} feedback null withdraws it
 */
export function storeFeedback(api, { id }, feedback) {
  const path = `/api/messages/${id}/feedback`;
  return feedback ? api.put(path, feedback) : api.delete(path);
}

/** @param {HTMLElement} root of an answer @param {Message} message */
export function showFeedback(root, { content, feedback }) {
  for (const button of root.querySelectorAll('[data-feedback]')) {
    const pressed = button.getAttribute('data-feedback') === feedback?.rating;
    button.setAttribute('aria-pressed', String(pressed));
    button.toggleAttribute('hidden', !content);
  }
}

/**
 * @param {HTMLElement} thread
 * @param {(element: HTMLElement) => Message|null} messageOf
 * @param {Store} store
 */
export function mountFeedback(thread, messageOf, store) {
  /** @param {HTMLElement} element @param {Feedback|null} feedback @param {string} said */
  const give = async (element, feedback, said) => {
    const answer = messageOf(element);
    const root = element.closest('[data-message]');
    if (!answer || !(root instanceof HTMLElement)) return false;
    const before = answer.feedback;
    answer.feedback = feedback;
    showFeedback(root, answer);
    try {
      await store(answer, feedback);
      announce(said);
      return true;
    } catch (error) {
      answer.feedback = before;
      showFeedback(root, answer);
      toastError(error);
      return false;
    }
  };

  delegate(thread, 'click', '[data-feedback]', (button) => void press(button));
  /** @param {HTMLElement} button */
  const press = async (button) => {
    const rating = button.dataset.feedback === 'up' ? 'up' : 'down';
    const withdrawn = messageOf(button)?.feedback?.rating === rating;
    const root = button.closest('[data-message]');
    root?.querySelector('[data-feedback-form]')?.remove();
    if (withdrawn) return void give(button, null, t('feedback.withdrawn'));
    const given = give(button, { rating, reason: '' }, t('feedback.kept'));
    await style().catch(() => {});
    if (!(await given) || !root || messageOf(button)?.feedback?.rating !== rating) return;
    root.querySelector('[data-feedback-form]')?.remove();
    root.append(form(rating, button));
    find(root, '[data-feedback-reason]').focus();
  };

  /** @param {'up'|'down'} rating @param {HTMLElement} button focused again */
  const form = (rating, button) => {
    const made = clone('feedback');
    const field = findAs(made, '[data-feedback-reason]', HTMLInputElement);
    const close = () => {
      made.remove();
      button.focus();
    };
    find(made, '[data-feedback-label]').textContent = t(`feedback.why.${rating}`);
    find(made, '[data-feedback-close]').addEventListener('click', close);
    made.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      close();
    });
    made.addEventListener('submit', async (event) => {
      event.preventDefault();
      const reason = field.value.trim();
      if (!reason || (await give(made, { rating, reason }, t('feedback.kept')))) close();
    });
    return made;
  };
}
