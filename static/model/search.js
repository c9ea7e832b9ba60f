/** @typedef {{ start: number, end: number }} Span a part of a text */

/**
 * Folds a text so that what people take for the same is the same: case, Unicode forms (NFKC:
 * composed or not, full-width letters, ligatures), the dot of İ, white space and line breaks.
 * @param {string} text
 */
export function fold(text) {
	return text
		.normalize('NFKC')
		.toUpperCase()
		.toLowerCase()
		.replaceAll('ς', 'σ')
		.replaceAll('i\u0307', 'i')
		.replace(/[\s↵]+/g, ' ');
}

/** What is folded as one: white space, Hangul in parts, or a character with its marks. */
const UNIT = /[\s↵]+|[\u1100-\u11ff]+|.\p{M}*/gsu;

/**
 * Finds words in a text.
 * @param {string} text as it is @param {string} words folded
 * @returns {Span[]} in the text as it is
 */
export function findWords(text, words) {
	/** Where each character of the folded text comes from. @type {Span[]} */
	const origins = [];
	let folded = '';
	for (const { 0: unit, index } of text.matchAll(UNIT)) {
		const part = fold(unit);
		for (let n = 0; n < part.length; n += 1) {
			origins.push({ start: index, end: index + unit.length });
		}
		folded += part;
	}
	/** @type {Span[]} */
	const spans = [];
	let at = words ? folded.indexOf(words) : -1;
	for (; at >= 0; at = folded.indexOf(words, at + words.length)) {
		const [first, last] = [origins[at], origins[at + words.length - 1]];
		const start = Math.max(first?.start ?? 0, spans.at(-1)?.end ?? 0);
		if (last && start < last.end) spans.push({ start, end: last.end });
	}
	return spans;
}
