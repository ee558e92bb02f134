/** Deleting a message with all messages below it, after the user has confirmed what goes. */
import { find } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { confirm } from '../ui/dialog.js';
import { toast, toastError } from '../ui/toast.js';
import { isLocal } from './tree.js';

/** @typedef {import('../types.js').Message} Message */

/** A deletion is being confirmed or carried out. */
let busy = false;

/**
 * @param {Message} message
 * @param {Pick<import('../net/api.js').Api, 'get'>} api
 * @param {import('./conversation.js').Conversation} conversation
 * @param {import('./thread.js').Thread} thread
 */
export async function removeMessage(message, api, conversation, thread) {
  if (busy) return;
  busy = true;
  try {
    if (conversation.live) return toast(t('thread.delete.live'));
    const messages = isLocal(message)
      ? 1
      : (await api.get(`/api/messages/${message.id}/branch`)).messages;
    if (!(await confirm(sentence(message, messages - 1), t('thread.delete')))) return;
    if (conversation.live) return toast(t('thread.delete.live'));
    const above = message.parent_id;
    await conversation.navigation.remove(message);
    announce(count('thread.deleted', messages));
    const neighbour = thread.below(above) ?? thread.element(above);
    if (neighbour) neighbour.tabIndex = -1;
    (neighbour ?? find(document, '[data-input]')).focus({ preventScroll: true });
  } catch (error) {
    toastError(error);
  } finally {
    busy = false;
  }
}

/** @param {Message} message @param {number} below how many messages go with it */
function sentence({ role }, below) {
  if (role === 'user') {
    return below ? count('thread.delete.question', below) : t('thread.delete.question.alone');
  }
  return below ? count('thread.delete.answer', below) : t('thread.delete.answer.alone');
}
