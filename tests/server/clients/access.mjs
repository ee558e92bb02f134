// What the clients are given by the test that starts them.
export const ADDRESS = process.env.CHATAPP_URL;
export const KEY = process.env.CHATAPP_KEY;
export const BASE = process.env.CHATAPP_BASE;
export const EMBEDDING_MODEL = process.env.CHATAPP_EMBEDDING_MODEL;
export const PICTURE = process.env.CHATAPP_PICTURE;
export const QUESTION = "How many days of leave do employees get?";

/** Return the cosine of two vectors of length 1. */
export function cosine(one, other) {
  return one.reduce((sum, number, place) => sum + number * other[place], 0);
}
