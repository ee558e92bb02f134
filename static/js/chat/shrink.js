/** Makes pictures smaller before they are sent; the server stores no larger ones. */

/** Pixels of the longer side, as the server keeps it. */
const MAX_SIDE = 1568;
/** A smaller file is sent as it is. */
const SMALL_BYTES = 1_000_000;
const QUALITY = 0.9;
export const KINDS = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];

/** @param {File} file @returns {boolean} whether a model may be shown this file */
export const isPicture = (file) => KINDS.includes(file.type);

/**
 * A file that the browser cannot decode is sent as it is: the server says what is wrong.
 * @param {File} file
 * @returns {Promise<Blob>}
 */
export async function shrunk(file) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return file;
  const scale = Math.min(1, MAX_SIDE / Math.max(picture.width, picture.height));
  if (scale === 1 && file.size <= SMALL_BYTES) return file;
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const drawn = canvas.getContext('2d');
  if (!drawn) return file;
  drawn.fillStyle = 'white';
  drawn.fillRect(0, 0, canvas.width, canvas.height);
  drawn.imageSmoothingQuality = 'high';
  drawn.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const kind = file.type === 'image/png' ? 'image/png' : 'image/jpeg'; // keeps screenshots sharp
  const made = await new Promise((/** @type {(blob: Blob|null) => void} */ done) =>
    canvas.toBlob(done, kind, QUALITY),
  );
  return made && made.size < file.size ? made : file;
}
