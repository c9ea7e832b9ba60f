/** A segmenter copies its text for each letter: a megabyte would take terabytes. */
const SEGMENTED_LIMIT = 1_000;

/** Splits a text into letters as people count them, a long one into characters. @param {string} text */
export function splitLetters(text) {
	if (!Intl.Segmenter || text.length > SEGMENTED_LIMIT) return [...text];
	return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
}
