/**
 * Converts lines to rows and back. A message has its time, username and message in columns. Bytes
 * that were never a message, or that the columns would not give back exactly, are stored as they
 * are.
 */

import { type Entry, formatLine, parseLine } from '../../room/message.ts';
import { LF } from '../../room/text.ts';

/** How much one row holds, in bytes. A longer line takes several rows. */
export const MAX_ROW_BYTES = 65_535;

/** A row of `messages` without its room; `schema.ts` describes the columns. */
export interface LineRow {
  readonly end_offset: number;
  readonly at: string | null;
  readonly username: string | null;
  readonly message: string | null;
  readonly raw: Buffer | null;
}

/** The columns of {@link LineRow}, in this order. */
export const LINE_COLUMNS = 'end_offset, at, username, message, raw';

/** Returns the row of a message. */
export function toMessageRow(endOffset: number, time: string, entry: Entry): LineRow {
  return { end_offset: endOffset, at: time, ...entry, raw: null };
}

/** Returns the row of bytes that are stored as they are. */
export function toRawRow(endOffset: number, raw: Buffer): LineRow {
  return { end_offset: endOffset, at: null, username: null, message: null, raw };
}

/**
 * Splits bytes into rows.
 *
 * @param bytes may begin and end in the middle of a line
 * @param isLineStart whether a line begins there
 */
export function toRows(bytes: Buffer, offset: number, isLineStart: boolean): LineRow[] {
  const rows: LineRow[] = [];
  let canBeMessage = isLineStart;
  for (let from = 0; from < bytes.length; ) {
    const index = bytes.indexOf(LF, from);
    const to = index === -1 ? bytes.length : index + 1;
    const line = bytes.subarray(from, to);
    const row = canBeMessage ? tryMessageRow(line, offset + to) : undefined;
    if (row !== undefined) rows.push(row);
    else pushRawRows(rows, line, offset + from);
    canBeMessage = true;
    from = to;
  }
  return rows;
}

/** Returns the bytes of a row, as they were stored. */
export function toBytes({ at, username, message, raw }: LineRow): Buffer {
  if (raw !== null) return raw;
  return Buffer.from(formatLine(at!, { username: username!, message: message! }), 'utf8');
}

/** Returns `undefined` for a line that the columns would not give back byte for byte. */
function tryMessageRow(line: Buffer, endOffset: number): LineRow | undefined {
  if (line.length > MAX_ROW_BYTES || line[line.length - 1] !== LF) return undefined;
  const parsed = parseLine(line.toString('utf8'));
  if (parsed === undefined || !isDatetime(parsed.time)) return undefined;
  const { time, username, message } = parsed;
  const row = toMessageRow(endOffset, time, { username, message });
  return toBytes(row).equals(line) ? row : undefined;
}

function pushRawRows(rows: LineRow[], line: Buffer, offset: number): void {
  for (let from = 0; from < line.length; from += MAX_ROW_BYTES) {
    const raw = line.subarray(from, from + MAX_ROW_BYTES);
    rows.push(toRawRow(offset + from + raw.length, raw));
  }
}

/** Tells whether DATETIME takes a time: on a day of the calendar, in the years 1000 to 9999. */
function isDatetime(text: string): boolean {
  const date = new Date(`${text.replace(' ', 'T')}Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1000) return false;
  return date.toISOString().startsWith(text.replace(' ', 'T'));
}
