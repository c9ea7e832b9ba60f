/**
 * A cursor names a position in a room: `<epoch>-<offset>`.
 *
 * The epoch is 8 hex digits made from the room's first line alone. So it survives a copy of the file
 * and a move to another store, and changes when a room is deleted and begun anew. The offset counts
 * bytes from the room's beginning and stands after a line. `docs/format.md` has the rules.
 */
import { createHash } from 'node:crypto';
import { LF } from './text.ts';

/** The epoch of a room that has no complete line yet. */
export const EMPTY_EPOCH = '00000000';

/** How much of a first line counts for the epoch, in bytes. */
export const EPOCH_BYTES = 65_536;

/** A position in a room: at its beginning or after a line. */
export interface Cursor {
  /** The room's epoch. */
  readonly epoch: string;
  /** The number of bytes from the room's beginning. */
  readonly offset: number;
}

/** A cursor as a client sent it: a bare offset has no epoch and is good in any. */
export interface SentCursor {
  readonly epoch: string | undefined;
  readonly offset: number;
}

/**
 * Returns the epoch of a room.
 *
 * @param head the room's first bytes; those after {@link EPOCH_BYTES} do not count
 * @returns 8 lower-case hex digits; {@link EMPTY_EPOCH} while the first line is not complete
 */
export function toEpoch(head: Buffer): string {
  const limited = head.subarray(0, EPOCH_BYTES);
  const end = limited.indexOf(LF);
  if (end === -1 && limited.length < EPOCH_BYTES) return EMPTY_EPOCH;
  const line = end === -1 ? limited : limited.subarray(0, end);
  const epoch = createHash('sha256').update(line).digest('hex').slice(0, 8);
  return epoch === EMPTY_EPOCH ? '00000001' : epoch;
}

/** Formats a cursor. */
export function formatCursor(epoch: string, offset: number): string {
  return `${epoch}-${offset}`;
}

/**
 * Parses a cursor that a client sent: `<epoch>-<offset>`, or a bare `<offset>`.
 *
 * @returns `undefined` if it is malformed
 */
export function parseCursor(text: string): SentCursor | undefined {
  const match = /^(?:([0-9a-f]{8})-)?(0|[1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[2]);
  if (!Number.isSafeInteger(offset)) return undefined;
  return { epoch: match[1], offset };
}
