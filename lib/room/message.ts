/**
 * Messages and their lines: what a sender may send, how it is cleaned, how its line is formatted and
 * parsed.
 *
 *     line      = "[" date " " time "] " username ": " message LF
 *     date      = YYYY "-" MM "-" DD
 *     time      = HH ":" MM ":" SS         ; the server's clock in its time zone
 *     username  = 1*64 character           ; trimmed; no ": " inside, no ":" at its end
 *     message   = 1*4000 character         ; a line break inside is stored as U+21B5
 *     character = any code point except C0 (but tab is allowed), DEL, C1, U+2028 and U+2029
 */
import { cleanControls, countCodePoints } from './text.ts';

/** The longest username, in code points. */
export const MAX_USERNAME_CHARACTERS = 64;

/** The longest message, in code points. */
export const MAX_MESSAGE_CHARACTERS = 4000;

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

/**
 * Cleans and checks what a sender sent.
 *
 * @param username the field as sent, `undefined` if it is missing
 * @param message the field as sent, `undefined` if it is missing
 * @returns the entry to store, or the first fault, which names its field
 */
export function toEntry(username: string | undefined, message: string | undefined): EntryResult {
  const name = username === undefined ? undefined : cleanUsername(username);
  const nameFault = findUsernameFault(name);
  if (nameFault !== undefined) return { fault: nameFault };
  const text = message === undefined ? undefined : cleanMessage(message);
  const messageFault = findMessageFault(message, text);
  if (messageFault !== undefined) return { fault: messageFault };
  return { entry: { username: name!, message: text! } };
}

/**
 * Formats a line.
 *
 * @param time as {@link formatTime} returns it
 * @returns the line with its LF
 */
export function formatLine(time: string, entry: Entry): string {
  return `[${time}] ${entry.username}: ${entry.message}\n`;
}

/**
 * Parses a line. What {@link formatLine} returns can be parsed in one way only.
 *
 * @param line with or without its LF
 * @returns `undefined` for a line that was never a message
 */
export function parseLine(line: string): ParsedLine | undefined {
  const match = LINE.exec(line.endsWith('\n') ? line.slice(0, -1) : line);
  if (match === null) return undefined;
  const [, time, username, message] = match as unknown as [string, string, string, string];
  const { entry } = toEntry(username, message);
  if (entry?.username !== username || entry.message !== message) return undefined;
  return { time, username, message };
}

const LINE = /^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] ([^\n]+?): ([^\n]+)$/;

let lastSecond = Number.NaN;
let lastText = '';

/**
 * Formats a moment in the process's time zone.
 *
 * @param epochMs milliseconds since 1970 UTC
 * @returns `YYYY-MM-DD HH:MM:SS`
 */
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

function cleanUsername(username: string): string {
  const name = username.trim();
  // A line break is a fault of its own, so keep it for the check.
  return /[\r\n]/.test(name) ? name : cleanControls(name);
}

function findUsernameFault(name: string | undefined): string | undefined {
  const right = `it takes 1 to ${MAX_USERNAME_CHARACTERS} characters`;
  if (name === undefined) return `username is missing; ${right}`;
  if (name === '') return `username is blank; ${right}`;
  if (/[\r\n]/.test(name)) return 'username has a line break in it; it takes one line';
  if (countCodePoints(name, MAX_USERNAME_CHARACTERS) > MAX_USERNAME_CHARACTERS) {
    return `username is too long; ${right}`;
  }
  if (name.includes(': ')) return 'username has ": " in it; leave out the colon or the space';
  if (name.endsWith(':')) return 'username ends with ":"; leave out the colon';
  return undefined;
}

function cleanMessage(message: string): string {
  return cleanControls(message.replace(/\r\n?|\n/g, LINE_BREAK));
}

function findMessageFault(raw: string | undefined, text: string | undefined): string | undefined {
  const right = `it takes 1 to ${MAX_MESSAGE_CHARACTERS} characters`;
  if (raw === undefined || text === undefined) return `message is missing; ${right}`;
  if (raw.trim() === '') return `message is blank; ${right}`;
  if (countCodePoints(text, MAX_MESSAGE_CHARACTERS) > MAX_MESSAGE_CHARACTERS) {
    return `message is too long; ${right}`;
  }
  return undefined;
}
