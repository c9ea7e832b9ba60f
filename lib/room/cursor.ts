/**
 * A cursor is a place in a room: `<epoch>-<offset>` (contract §5).
 *
 * The epoch is 8 hex digits made from the room's first line alone, so that it survives a copy and
 * changes when a room is begun anew; the offset is in bytes and stands after a line.
 */
import { createHash } from 'node:crypto';
import { LF } from './text.ts';

/** The epoch of a room that has no line yet. */
export const EMPTY_EPOCH = '00000000';

/** How much of a first line counts for the epoch, in bytes. */
export const EPOCH_BYTES = 65_536;

/** A position in a room after a line, or at its beginning. */
export interface Cursor {
  /** The room's epoch. */
  readonly epoch: string;
  /** The number of bytes from the room's beginning. */
  readonly offset: number;
}

/** A cursor as a client sent it. */
export interface ParsedCursor {
  /** `undefined` for a bare offset, which is good in any epoch. */
  readonly epoch: string | undefined;
  /** The number of bytes from the room's beginning. */
  readonly offset: number;
}

/**
 * Gives the epoch of a room.
 *
 * @param head the room's first bytes; those after {@link EPOCH_BYTES} do not count
 * @returns 8 lower-case hex digits, {@link EMPTY_EPOCH} while the first line is not complete
 */
export function toEpoch(head: Buffer): string {
  const limited = head.length > EPOCH_BYTES ? head.subarray(0, EPOCH_BYTES) : head;
  const end = limited.indexOf(LF);
  if (end === -1 && limited.length < EPOCH_BYTES) return EMPTY_EPOCH;
  const line = end === -1 ? limited : limited.subarray(0, end);
  return line.length > MAX_KNOWN_BYTES ? hashLine(line) : recall(line);
}

/** The epochs that were asked for lately: a hash costs more than all else that a batch computes. */
const known = new Map<string, string>();
const MAX_KNOWN = 4096;
const MAX_KNOWN_BYTES = 512;

function recall(line: Buffer): string {
  const key = line.toString('latin1');
  let epoch = known.get(key);
  if (epoch === undefined) {
    epoch = hashLine(line);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, epoch);
  }
  return epoch;
}

function hashLine(line: Buffer): string {
  const epoch = createHash('sha256').update(line).digest('hex').slice(0, 8);
  return epoch === EMPTY_EPOCH ? '00000001' : epoch;
}

/**
 * Writes a cursor.
 *
 * @param epoch 8 hex digits
 * @param offset bytes
 */
export function formatCursor(epoch: string, offset: number): string {
  return `${epoch}-${offset}`;
}

/**
 * Reads a cursor that a client sent: `<epoch>-<offset>` or a bare `<offset>`.
 *
 * @param text as sent
 * @returns the cursor, or `undefined` where it is malformed
 */
export function parseCursor(text: string): ParsedCursor | undefined {
  const match = /^(?:([0-9a-f]{8})-)?(0|[1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[2]);
  if (!Number.isSafeInteger(offset)) return undefined;
  return { epoch: match[1], offset };
}
