/**
 * The domain: what a room is made of. No file of this folder does I/O, and none knows a store or HTTP.
 *
 * This one has messages and their lines: what a sender may send, how it is cleaned, how its line is
 * formatted and parsed.
 *
 *     line      = "[" date " " time "] " username ": " message LF
 *     date      = YYYY "-" MM "-" DD
 *     time      = HH ":" MM ":" SS         ; the server's clock in its time zone
 *     username  = 1*64 character           ; trimmed; no ": " inside, no ":" at its end
 *     message   = 1*4000 character         ; a line break inside is stored as U+21B5
 *     character = any code point except C0 (but tab is allowed), DEL, C1, U+2028 and U+2029
 *
 * A sender's username and message must each have a character that shows. Older versions did not ask
 * for that, so a line need not have one.
 */
import { cleanControls, countCodePoints, isBlank } from './text.ts';

/** The longest username, in code points. */
export const MAX_USERNAME_CHARACTERS = 64;

/** The longest message, in code points. */
export const MAX_MESSAGE_CHARACTERS = 4000;

const LIMITS = { username: MAX_USERNAME_CHARACTERS, message: MAX_MESSAGE_CHARACTERS };

/** Stands for a line break inside a stored message. */
export const LINE_BREAK = '\u21b5';

/** A message that is ready to be stored: cleaned and within the limits. */
export interface Entry {
  readonly username: string;
  readonly message: string;
}

/** What {@link toEntry} returns: an entry, or one line for the sender that names the fault. */
export type EntryResult =
  | { readonly entry: Entry; readonly fault?: never }
  | { readonly entry?: never; readonly fault: string };

/** The parts of a line. */
export interface ParsedLine extends Entry {
  /** `YYYY-MM-DD HH:MM:SS`, as stored. */
  readonly time: string;
}

/** Cleans and checks what a sender sent: gives the entry to store, or the first fault. */
export function toEntry(username: string | undefined, message: string | undefined): EntryResult {
  const entry = { username: cleanUsername(username ?? ''), message: cleanMessage(message ?? '') };
  const fault =
    findFault('username', username, entry) ??
    findSyntaxFault(entry.username) ??
    findFault('message', message, entry);
  return fault === undefined ? { entry } : { fault };
}

/** How many bytes of a line tell its time: `[2018-02-25 14:00:51] `. */
export const TIME_BYTES = 22;

/** The longest line, in bytes: a code point takes at most 4 in UTF-8. */
export const MAX_LINE_BYTES =
  4 * (MAX_USERNAME_CHARACTERS + MAX_MESSAGE_CHARACTERS) + TIME_BYTES + 3;

/** Formats a line with its LF, at a time as {@link formatTime} gives it. */
export function formatLine(time: string, entry: Entry): string {
  return `[${time}] ${formatEntry(entry)}\n`;
}

/** Formats what a line says behind its time, without its LF. No two entries have the same. */
export function formatEntry({ username, message }: Entry): string {
  return `${username}: ${message}`;
}

/** Parses a line with or without its LF; `undefined` if it was never a message. */
export function parseLine(line: string): ParsedLine | undefined {
  const match = LINE.exec(line.endsWith('\n') ? line.slice(0, -1) : line);
  if (match === null) return undefined;
  const [, time, username, message] = match as unknown as [string, string, string, string];
  const isClean = cleanUsername(username) === username && cleanMessage(message) === message;
  if (!isClean || message.trim() === '' || findSyntaxFault(username) !== undefined)
    return undefined;
  if (isTooLong('username', username) || isTooLong('message', message)) return undefined;
  return { time, username, message };
}

const LINE = /^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] ([^\n]+?): ([^\n]+)$/;

let lastSecond = Number.NaN;
let lastText = '';

/** Formats a moment as `YYYY-MM-DD HH:MM:SS` in the process's time zone. */
export function formatTime(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  // Many messages are stored in one second, so the last text is kept.
  if (second !== lastSecond) {
    lastText = formatDate(new Date(epochMs));
    lastSecond = second;
  }
  return lastText;
}

function formatDate(date: Date): string {
  const day = [date.getMonth() + 1, date.getDate()].map(toTwoDigits).join('-');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(toTwoDigits).join(':');
  return `${String(date.getFullYear()).padStart(4, '0')}-${day} ${time}`;
}

function toTwoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Leaves line breaks in: they are a fault, which the check finds. */
function cleanUsername(username: string): string {
  const name = username.trim();
  return /[\r\n]/.test(name) ? name : cleanControls(name);
}

function cleanMessage(message: string): string {
  let end = message.length;
  // A pattern for the end would be tried at each line break, and a message may have 64 KiB of them.
  while (/[\r\n]/.test(message.charAt(end - 1))) end -= 1;
  return cleanControls(message.slice(0, end).replace(/\r\n?|\n/g, LINE_BREAK));
}

/** Finds what is wrong with a field, whichever it is. */
function findFault(field: keyof Entry, sent: string | undefined, entry: Entry): string | undefined {
  const right = `it takes 1 to ${LIMITS[field]} characters`;
  if (sent === undefined) return `${field} is missing; ${right}`;
  if (isBlank(sent)) return `${field} is blank; ${right}, at least one of which shows`;
  if (!sent.isWellFormed())
    return `${field} has half a surrogate pair in it; send whole characters`;
  return isTooLong(field, entry[field]) ? `${field} is too long; ${right}` : undefined;
}

function isTooLong(field: keyof Entry, text: string): boolean {
  return countCodePoints(text, LIMITS[field]) > LIMITS[field];
}

/** Finds what would let a line be read in two ways. */
function findSyntaxFault(username: string): string | undefined {
  if (/[\r\n]/.test(username)) return 'username has a line break in it; it takes one line';
  if (username.includes(': ')) return 'username has ": " in it; leave out the colon or the space';
  if (username.endsWith(':')) return 'username ends with ":"; leave out the colon';
  return undefined;
}
