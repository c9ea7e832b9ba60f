/** Characters and bytes that names, messages and lines share. */

/** The byte that ends a line: a line feed. */
export const LF = 0x0a;

/**
 * Counts code points, stopping early.
 *
 * @param text well-formed text
 * @param limit where counting may stop
 * @returns the count, or `limit + 1` for anything longer
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

/** Whether text has a control character of Unicode's category Cc in it. */
export function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}

/**
 * Replaces what could move a terminal's cursor or break a line: C0 but tab, DEL, C1, U+2028 and
 * U+2029 become U+FFFD.
 *
 * @param text text without CR and LF
 * @returns text that is safe to show in a terminal
 */
export function cleanControls(text: string): string {
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
}
