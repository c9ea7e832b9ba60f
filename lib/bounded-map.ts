/** A map of bounded size: a cache that can't grow without end. */

/** How much a {@link BoundedMap} holds. */
export interface Bounds<V> {
  readonly maxEntries: number;
  /** The most that all entries together may weigh; needs `weigh`. */
  readonly maxWeight?: number;
  /** Returns what an entry weighs, always the same for the same value. */
  readonly weigh?: (value: V) => number;
}

/** A map that drops the least recently used entries once it would exceed its bounds. */
export class BoundedMap<K, V extends {}> {
  readonly #bounds: Bounds<V>;
  /** In the order of their use: a Map keeps the order in which keys were inserted. */
  readonly #entries = new Map<K, V>();
  #weight = 0;

  constructor(bounds: Bounds<V>) {
    this.#bounds = bounds;
  }

  /** Returns the value of a key and marks it as used, or `undefined`. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Sets the value of a key and drops what exceeds the bounds, possibly this very entry. */
  set(key: K, value: V): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#weight += this.#weigh(value);
    const { maxEntries, maxWeight = Number.POSITIVE_INFINITY } = this.#bounds;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries && this.#weight <= maxWeight) return;
      this.delete(oldest);
    }
  }

  /** Removes a key if it is there. */
  delete(key: K): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#weight -= this.#weigh(value);
  }

  #weigh(value: V): number {
    return this.#bounds.weigh?.(value) ?? 0;
  }
}
