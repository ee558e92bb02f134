/**
 * Screen reader announcements. Streamed text is never announced piece by piece.
 */
import { find } from '../core/dom.js';

/** @param {string} text */
export function announce(text) {
  find(document, '[data-announcer]').textContent = text;
}

/** @param {string} text */
export function announceAssertively(text) {
  find(document, '[data-alarm]').textContent = text;
}
