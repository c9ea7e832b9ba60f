/**
 * Copying every room from one home to another, byte for byte (contract §10).
 *
 * A room of the target that is a beginning of the source's goes on where it ends, so a copy that was
 * broken off is resumed, and one that is repeated copies what was said since. Any other room of that
 * name is left as it is.
 */

import { readBytes } from '../room/line-reader.ts';
import { LF } from '../room/text.ts';
import type { Archive, RoomText } from '../store/archive.ts';

/** How much is copied at one time, in bytes; after each piece the target is a good beginning. */
export const PIECE_BYTES = 1 << 20;

/** How far a copy is. */
export interface Progress {
  readonly room: string;
  /** How many bytes are compared or copied, of how many. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What became of a copy. */
export interface Summary {
  readonly rooms: number;
  readonly copiedBytes: number;
  /** The rooms that were left as they are, each with the reason. */
  readonly refused: { readonly room: string; readonly reason: string }[];
}

/** One copy of all rooms. */
class Migration {
  readonly #from: Archive;
  readonly #to: Archive;
  readonly #onProgress: (progress: Progress) => void;
  #room = '';
  #doneBytes = 0;
  #totalBytes = 0;
  #copiedBytes = 0;

  constructor(from: Archive, to: Archive, onProgress: (progress: Progress) => void) {
    this.#from = from;
    this.#to = to;
    this.#onProgress = onProgress;
  }

  async run(): Promise<Summary> {
    const rooms = await this.#from.listRooms();
    const present = new Set((await this.#to.listRooms()).map(({ room }) => room));
    this.#totalBytes = rooms.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const refused: { room: string; reason: string }[] = [];
    for (const { room } of rooms) {
      this.#room = room;
      const reason = await this.#copyRoom(room, present.has(room));
      if (reason !== undefined) refused.push({ room, reason });
    }
    return { rooms: rooms.length, copiedBytes: this.#copiedBytes, refused };
  }

  /** @returns why the room was left as it is */
  async #copyRoom(room: string, isPresent: boolean): Promise<string | undefined> {
    const source = await this.#from.snapshot(room);
    const target = await this.#to.snapshot(room);
    if (target.sizeBytes > source.sizeBytes) return 'it is longer than the one to be copied';
    if (!(await this.#isBeginning(source, target))) return 'it is not a beginning of the same text';
    // An empty room is one as well: a file of no bytes.
    const isCopied = isPresent || (await this.#to.extend(room, 0, Buffer.alloc(0)));
    if (isCopied && (await this.#copyRest(room, source, target.sizeBytes))) return undefined;
    return 'somebody writes to it while it is copied';
  }

  async #isBeginning(source: RoomText, target: RoomText): Promise<boolean> {
    let at = 0;
    for await (const chunk of target.read(0, target.sizeBytes)) {
      const same = await readBytes(source, at, at + chunk.length);
      if (!same.equals(chunk)) return false;
      at += chunk.length;
      this.#advance(chunk.length);
    }
    return at === target.sizeBytes;
  }

  async #copyRest(room: string, source: RoomText, offset: number): Promise<boolean> {
    for (let at = offset; at < source.sizeBytes; ) {
      const to = Math.min(source.sizeBytes, at + PIECE_BYTES);
      const bytes = await readBytes(source, at, to);
      // Whole lines, where there are any, so that each stays one message.
      const end = bytes.lastIndexOf(LF) + 1;
      const piece = end > 0 && to < source.sizeBytes ? bytes.subarray(0, end) : bytes;
      if (!(await this.#to.extend(room, at, piece))) return false;
      at += piece.length;
      this.#copiedBytes += piece.length;
      this.#advance(piece.length);
    }
    return true;
  }

  #advance(bytes: number): void {
    this.#doneBytes += bytes;
    const totalBytes = Math.max(this.#totalBytes, this.#doneBytes);
    this.#onProgress({ room: this.#room, doneBytes: this.#doneBytes, totalBytes });
  }
}

/**
 * Copies every room.
 *
 * @param onProgress told after every piece
 * @throws ServiceError where one of the two fails; what was copied until then stays, and another run
 *   goes on from there
 */
export function migrate(
  from: Archive,
  to: Archive,
  onProgress: (progress: Progress) => void,
): Promise<Summary> {
  return new Migration(from, to, onProgress).run();
}
