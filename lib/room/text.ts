/** Characters and bytes that names, messages and lines share. */

/** The byte that ends a line: a line feed. */
export const LF = 0x0a;

/**
 * Counts code points up to a limit.
 *
 * @param text well-formed Unicode
 * @returns the number of code points, or `limit + 1` if there are more than `limit`
 */
export function countCodePoints(text: string, limit: number): number {
  if (text.length <= limit && !/[\ud800-\udbff]/.test(text)) return text.length;
  let count = 0;
  for (const _ of text) {
    count += 1;
    if (count > limit) return count;
  }
  return count;
}

/**
 * Tells whether a text shows nothing: it has only white space, default-ignorable code points, format
 * characters and U+2800, the Braille pattern without dots.
 */
export function isBlank(text: string): boolean {
  return !/[^\s\u2800\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(text);
}

/** Tells whether a text contains a control character (Unicode's category Cc). */
export function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}

/**
 * Replaces the characters that could move a terminal's cursor or break a line by U+FFFD: all of C0
 * except tab, DEL, C1, U+2028 and U+2029.
 */
export function cleanControls(text: string): string {
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
}
