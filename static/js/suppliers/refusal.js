/** The error message of a refused request, with the form's field labels. */
import { t } from '../core/i18n.js';
import { ApiError } from '../net/api.js';

/** The form's labels of API fields. */
const LABELS = {
  base_url: 'connect.base_url',
  api_key: 'connect.key',
  models: 'connect.models',
  name: 'connect.preset',
};

/** Name a refused field by its label in the form. @param {unknown} error @returns {string} */
export function refusalText(error) {
  if (!(error instanceof Error)) return String(error);
  const [name, reason] = Object.entries((error instanceof ApiError && error.fields) || {})[0] ?? [];
  const label = LABELS[/** @type {keyof typeof LABELS} */ (name)];
  return label ? t('connect.fault', { field: t(label), reason: reason ?? '' }) : error.message;
}
