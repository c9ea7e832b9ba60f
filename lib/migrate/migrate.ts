/**
 * Copies every room from one store to another, byte for byte (contract §10).
 *
 * A room of the target whose text is the beginning of the source's is continued. So a copy that was
 * interrupted can be resumed, and one that is repeated copies what was said since. Any other room of the
 * same name is left as it is. How a store adds bytes durably is its own affair (`Store.extend`).
 */
import { readBytes } from '../room/line-reader.ts';
import { LF } from '../room/text.ts';
import type { Snapshot, Store } from '../store/store.ts';

/** How much is copied at once, in bytes. Between two pieces the target is a good beginning. */
export const PIECE_BYTES = 1 << 20;

/** The result of a copy. */
export interface Summary {
  /** How many rooms the source has. */
  readonly rooms: number;
  readonly copiedBytes: number;
  /** The rooms that were left as they are, each with the reason. */
  readonly refused: readonly { readonly room: string; readonly reason: string }[];
}

/** Told after every piece how many bytes are compared or copied, of how many; the total may grow. */
export type OnProgress = (doneBytes: number, totalBytes: number) => void;

/**
 * Copies every room.
 *
 * @throws Error if one of the two stores fails; what was copied until then stays, and another run resumes
 */
export async function migrate(from: Store, to: Store, onProgress: OnProgress): Promise<Summary> {
  const rooms = await from.listRooms();
  const present = new Set((await to.listRooms()).map(({ room }) => room));
  let totalBytes = rooms.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  let copiedBytes = 0;
  const advance = (bytes: number, isCopied: boolean): void => {
    doneBytes += bytes;
    if (isCopied) copiedBytes += bytes;
    // The source may have grown since its rooms were listed.
    totalBytes = Math.max(totalBytes, doneBytes);
    onProgress(doneBytes, totalBytes);
  };
  const refused: { room: string; reason: string }[] = [];
  for (const { room } of rooms) {
    const reason = await copyRoom(room, from, to, present.has(room), advance);
    if (reason !== undefined) refused.push({ room, reason });
  }
  return { rooms: rooms.length, copiedBytes, refused };
}

/** Told of each piece that was compared or copied. */
type Advance = (bytes: number, isCopied: boolean) => void;

/** @returns why the room was left as it is; `undefined` if it was copied */
async function copyRoom(
  room: string,
  from: Store,
  to: Store,
  isPresent: boolean,
  advance: Advance,
): Promise<string | undefined> {
  const source = await from.snapshot(room);
  const target = await to.snapshot(room);
  if (target.sizeBytes > source.sizeBytes) return 'it is longer than the one to be copied';
  if (!(await isBeginning(source, target, advance)))
    return 'it is not a beginning of the same text';
  // A room without a byte, as an empty file, has no piece that would make it.
  let isOurs = isPresent || (await to.extend(room, 0, Buffer.alloc(0)));
  for (let at = target.sizeBytes; isOurs && at < source.sizeBytes; ) {
    const piece = await readPiece(source, at);
    isOurs = await to.extend(room, at, piece);
    at += piece.length;
    if (isOurs) advance(piece.length, true);
  }
  return isOurs ? undefined : 'somebody writes to it while it is copied';
}

async function isBeginning(source: Snapshot, target: Snapshot, advance: Advance): Promise<boolean> {
  let offset = 0;
  for await (const chunk of target.read(0, target.sizeBytes)) {
    const same = await readBytes(source, offset, offset + chunk.length);
    if (!same.equals(chunk)) return false;
    offset += chunk.length;
    advance(chunk.length, false);
  }
  return offset === target.sizeBytes;
}

/** A piece ends with a line if it can: a database keeps a line that two pieces share as two rows. */
async function readPiece(source: Snapshot, from: number): Promise<Buffer> {
  const to = Math.min(source.sizeBytes, from + PIECE_BYTES);
  const bytes = await readBytes(source, from, to);
  const end = to < source.sizeBytes ? bytes.lastIndexOf(LF) + 1 : 0;
  return end > 0 ? bytes.subarray(0, end) : bytes;
}
