/**
 * What the page remembers, as JSON under keys that begin with `chat.`. A browser that refuses
 * storage (private mode, full quota) costs the memory, never the chat.
 */
export class Memory {
  #area;

  /** @param {'localStorage' | 'sessionStorage'} area the latter is this tab's own */
  constructor(area) {
    try {
      this.#area = window[area];
    } catch {
      this.#area = undefined;
    }
  }

  /**
   * @template T
   * @param {string} key
   * @param {T} fallback what an absent or broken entry counts as; its type is taken on trust
   * @returns {T}
   */
  get(key, fallback) {
    try {
      const stored = this.#area?.getItem(`chat.${key}`);
      return stored ? JSON.parse(stored) : fallback;
    } catch {
      return fallback;
    }
  }

  /**
   * @param {string} key
   * @param {unknown} value undefined, `''` and `[]` remove the entry
   */
  set(key, value) {
    const empty = value === undefined || value === '' || (Array.isArray(value) && !value.length);
    try {
      if (empty) this.#area?.removeItem(`chat.${key}`);
      else this.#area?.setItem(`chat.${key}`, JSON.stringify(value));
    } catch {}
  }
}

/** Shared by all tabs. */
export const memory = new Memory('localStorage');
/** This tab's own; survives a reload. */
export const tabMemory = new Memory('sessionStorage');
