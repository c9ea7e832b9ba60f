/**
 * Copies every room from one store to another, byte for byte (contract §10).
 *
 * A room of the target whose text is the beginning of the source's is continued. So a copy that was
 * interrupted can be resumed, and one that is repeated copies what was said since. Any other room of the
 * same name is left as it is. How a store adds bytes durably is its own affair (`store/archive.ts`).
 */
import { readBytes } from '../room/line-reader.ts';
import { LF } from '../room/text.ts';
import type { Archive, RoomText } from '../store/archive.ts';

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
export function migrate(from: Archive, to: Archive, onProgress: OnProgress): Promise<Summary> {
  return new Migration(from, to, onProgress).run();
}

class Migration {
  readonly #from: Archive;
  readonly #to: Archive;
  readonly #onProgress: OnProgress;
  #doneBytes = 0;
  #totalBytes = 0;
  #copiedBytes = 0;

  constructor(from: Archive, to: Archive, onProgress: OnProgress) {
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
      const reason = await this.#copyRoom(room, present.has(room));
      if (reason !== undefined) refused.push({ room, reason });
    }
    return { rooms: rooms.length, copiedBytes: this.#copiedBytes, refused };
  }

  /** @returns why the room was left as it is; `undefined` if it was copied */
  async #copyRoom(room: string, isPresent: boolean): Promise<string | undefined> {
    const source = await this.#from.snapshot(room);
    const target = await this.#to.snapshot(room);
    if (target.sizeBytes > source.sizeBytes) return 'it is longer than the one to be copied';
    if (!(await this.#isBeginning(source, target))) return 'it is not a beginning of the same text';
    // A room without a byte, as an empty file, has no piece that would make it.
    const isMade = isPresent || (await this.#to.extend(room, 0, Buffer.alloc(0)));
    if (isMade && (await this.#copyRest(room, source, target.sizeBytes))) return undefined;
    return 'somebody writes to it while it is copied';
  }

  async #isBeginning(source: RoomText, target: RoomText): Promise<boolean> {
    let offset = 0;
    for await (const chunk of target.read(0, target.sizeBytes)) {
      const same = await readBytes(source, offset, offset + chunk.length);
      if (!same.equals(chunk)) return false;
      offset += chunk.length;
      this.#advance(chunk.length);
    }
    return offset === target.sizeBytes;
  }

  /** @returns false if somebody else wrote to the target */
  async #copyRest(room: string, source: RoomText, offset: number): Promise<boolean> {
    for (let from = offset; from < source.sizeBytes; ) {
      const to = Math.min(source.sizeBytes, from + PIECE_BYTES);
      const bytes = await readBytes(source, from, to);
      // A piece ends with a line if it can: a database keeps a line that two pieces share as two rows.
      const end = to < source.sizeBytes ? bytes.lastIndexOf(LF) + 1 : 0;
      const piece = end > 0 ? bytes.subarray(0, end) : bytes;
      if (!(await this.#to.extend(room, from, piece))) return false;
      from += piece.length;
      this.#copiedBytes += piece.length;
      this.#advance(piece.length);
    }
    return true;
  }

  #advance(bytes: number): void {
    this.#doneBytes += bytes;
    // The source may have grown since its rooms were listed.
    this.#totalBytes = Math.max(this.#totalBytes, this.#doneBytes);
    this.#onProgress(this.#doneBytes, this.#totalBytes);
  }
}
