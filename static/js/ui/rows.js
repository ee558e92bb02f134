/**
 * A keyed list: a row keeps its element while its item exists, so that focus, selection and a
 * screen reader's position survive every refresh. When the focused row is removed, focus moves to
 * its neighbour.
 * @template T
 */
export class Rows {
  #root;
  #key;
  #make;
  #update;
  /** @type {Map<string|number, HTMLElement>} */ #rows = new Map();

  /**
   * @param {HTMLElement} root
   * @param {{key: (item: T) => string|number, make: (item: T) => HTMLElement,
   *   update: (row: HTMLElement, item: T) => void}} how
   */
  constructor(root, { key, make, update }) {
    this.#root = root;
    this.#key = key;
    this.#make = make;
    this.#update = update;
  }

  /** @param {readonly T[]} items */
  show(items) {
    const active = document.activeElement;
    const focused = active instanceof HTMLElement && this.#root.contains(active) ? active : null;
    const at = focused ? [...this.#root.children].findIndex((row) => row.contains(focused)) : -1;
    /** @type {Map<string|number, HTMLElement>} */
    const rows = new Map();
    for (const item of items) {
      const key = this.#key(item);
      const row = this.#rows.get(key) ?? this.#make(item);
      this.#update(row, item);
      rows.set(key, row);
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.remove();
    this.#rows = rows;
    let place = 0;
    for (const row of rows.values()) {
      if (this.#root.children[place] !== row) {
        this.#root.insertBefore(row, this.#root.children[place] ?? null);
      }
      place += 1;
    }
    if (focused && document.activeElement !== focused) this.#refocus(focused, at);
  }

  /**
   * Add rows at the end. Costs the same however long the list is.
   * @param {readonly T[]} items none of them shown yet
   */
  append(items) {
    const added = items.map((item) => {
      const row = this.#make(item);
      this.#update(row, item);
      this.#rows.set(this.#key(item), row);
      return row;
    });
    this.#root.append(...added);
  }

  /** @param {string|number} key */
  row(key) {
    return this.#rows.get(key) ?? null;
  }

  /** @param {HTMLElement} focused @param {number} at its row's place */
  #refocus(focused, at) {
    if (focused.isConnected && focused.checkVisibility()) {
      return focused.focus({ preventScroll: true });
    }
    const row = this.#root.children[Math.min(at, this.#root.children.length - 1)];
    const next = [...(row?.querySelectorAll('button, a[href]') ?? [])].find(
      (one) => one instanceof HTMLElement && one.checkVisibility(),
    );
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  }
}
