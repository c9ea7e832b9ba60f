/**
 * Goes on with a value: at once where it is at hand, else when it comes. An answer that waits for
 * nothing is then made without a promise, and a caller's `try` sees what it throws.
 *
 * @param next what to do with it
 * @returns what `next` gives, or a promise of it where the value is one
 */
export function chain<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<Awaited<R>> {
  return value instanceof Promise ? (value.then(next) as Promise<Awaited<R>>) : next(value);
}
