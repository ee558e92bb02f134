/** The pictures of a question in the thread, and one of them opened larger. */
import { fromRoot } from '../core/address.js';
import { find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';

/** @typedef {import('../types.js').Image} Image */

/** @param {HTMLElement} root of the question @param {Image[]} images */
export function showPictures(root, images) {
  const list = find(root, '[data-question-pictures]');
  const ids = images.map((image) => image.id).join(' ');
  if (list.dataset.questionPictures === ids) return;
  list.dataset.questionPictures = ids;
  list.hidden = !images.length;
  list.replaceChildren(...images.map(thumbnail));
}

/** @param {Image} image @param {number} place */
function thumbnail(image, place) {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'question-picture';
  const name = image.name || t('pictures.unnamed', { n: place + 1 });
  button.ariaLabel = t('pictures.open', { name });
  button.append(element(image, name));
  button.addEventListener('click', () => enlarge(image, name));
  item.append(button);
  return item;
}

/** @param {Image} image @param {string} name */
function element({ id, width, height }, name) {
  const shown = document.createElement('img');
  Object.assign(shown, { alt: name, width, height, decoding: 'async' });
  shown.src = fromRoot(`/api/images/${id}`);
  return shown;
}

/** @param {Image} image @param {string} name */
function enlarge(image, name) {
  const shown = dialog('picture');
  find(shown, '[data-picture-name]').textContent = name;
  const place = find(shown, '[data-picture-large]');
  place.replaceChildren(element(image, name));
  findAs(place, 'img', HTMLImageElement).addEventListener('click', () => shown.close());
  open(shown);
}
