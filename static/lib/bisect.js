/**
 * The index of the first item that a test holds for, asking for few of them; their number if none.
 * @template T
 * @param {T[]} items those for which it doesn't hold stand before those for which it does
 * @param {(item: T) => boolean} test
 */
export function bisect(items, test) {
	let from = 0;
	let to = items.length;
	while (from < to) {
		const middle = (from + to) >> 1;
		if (test(/** @type {T} */ (items[middle]))) to = middle;
		else from = middle + 1;
	}
	return from;
}
