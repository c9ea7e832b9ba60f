/** Splits a text into letters as people count them. @param {string} text */
export function splitLetters(text) {
	if (!Intl.Segmenter) return [...text];
	return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
}
