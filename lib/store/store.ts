/**
 * A store keeps rooms. This interface is the extension point: the folder store and the MySQL store
 * implement it, and a third one must pass `test/contract/store.test.ts`.
 *
 * Every store keeps these promises:
 *
 * 1. A room is an append-only text of lines. A position in it is a byte offset.
 * 2. `append` resolves when the line is durable. From then on every `snapshot` that begins, in any
 *    process on the same store, contains it.
 * 3. All readers see the same lines in the same order. Neither a crash nor a failed write takes
 *    back what a reader was shown. Only a person who edits the room does.
 * 4. If `append` rejects, no part of the message is stored.
 * 5. Of any number of copies of a message that are appended with the same `since`, at any time and in
 *    any process, one is stored. The others get its receipt, or are refused.
 */
import type { SentCursor } from '../room/cursor.ts';
import type { LineSource } from '../room/line-reader.ts';
import type { Entry } from '../room/message.ts';

/** The answer to a message that is stored. */
export interface Receipt {
  /** The line as stored, with its LF. */
  readonly line: string;
  /** The cursor after the line. */
  readonly cursor: string;
  /** Whether the line was there already, so that nothing was stored. */
  readonly isRepeat: boolean;
}

/** How far behind `since` a message may begin that is found or stored, in bytes. */
export const SEARCH_BYTES = 1 << 20;

/** A room as it stood at one moment; its `sizeBytes` is how much a reader is shown. */
export interface Snapshot extends LineSource {
  /** A strong entity tag with its quotes, the same in every process (RFC 9110 §8.8.3). */
  readonly etag: string;
  /** The room's epoch, 8 hex digits. */
  readonly epoch: string;
  /** False while somebody writes to the room: more lines may follow in a moment. */
  readonly isSettled: boolean;
}

/** Keeps rooms. */
export interface Store {
  /** Where the rooms are, for the line printed at the start; never with a password. */
  readonly description: string;
  /**
   * Stores one message, or finds it: if the room has the same username and message in a line behind
   * `since`, nothing is stored, and the receipt is that of the first such line. Without `since` a
   * message is stored as often as it is appended.
   *
   * @param since a cursor from before the message was first sent
   * @throws ServiceError `conflict` if no line of the room ends at `since`, or if more than
   *   {@link SEARCH_BYTES} are behind it and the message is not in the first of them; `unavailable` or
   *   `busy` if the store can't take it now
   */
  append(room: string, entry: Entry, since?: SentCursor): Promise<Receipt>;
  /** Returns the room's entity tag without reading its text. */
  etag(room: string): Promise<string>;
  /** Returns the room as it stands now. A room without messages is an empty one. */
  snapshot(room: string): Promise<Snapshot>;
  /**
   * Reports rooms that may have changed, whoever changed them: this process, as soon as its write
   * is committed, or another process or an editor, within a second. It may report too often, and
   * rooms that nobody asked for.
   *
   * @returns a function that stops the watch
   */
  watch(rooms: () => Iterable<string>, onChange: (room: string) => void): () => void;
  /**
   * Resolves if the store takes writes. A message that was stored in the last 10 s shows that;
   * otherwise a probe does, shared by all who ask.
   *
   * @throws ServiceError `unavailable` with the reason
   */
  check(): Promise<void>;
  /** Returns all rooms with their sizes. */
  listRooms(): Promise<{ room: string; sizeBytes: number }[]>;
  /**
   * Appends bytes to a room as they are, durably, for `migrate`. Makes the room if it does not exist.
   *
   * @param offset the size that the room must have
   * @returns false if it has another size; then the bytes are not in the room
   * @throws ServiceError `unavailable` if the store can't take them now
   */
  extend(room: string, offset: number, bytes: Buffer): Promise<boolean>;
  /** Resolves when every accepted message is stored or refused. */
  close(): Promise<void>;
}
