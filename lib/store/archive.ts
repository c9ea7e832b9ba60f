/** A store as `migrate` copies from it and to it. */

/** A room's text. */
export interface RoomText {
  readonly sizeBytes: number;
  /** Reads a part of the text; a chunk is valid until the next one is asked for. */
  read(from: number, to: number): AsyncIterable<Buffer>;
}

/** A store that can be copied from and to. */
export interface Archive {
  readonly description: string;
  /** Returns all rooms with their sizes. */
  listRooms(): Promise<{ room: string; sizeBytes: number }[]>;
  /** Returns a room as it stands now; one that does not exist is empty. */
  snapshot(room: string): Promise<RoomText>;
  /**
   * Appends bytes to a room as they are, durably. Makes the room if it does not exist.
   *
   * @param offset the size that the room must have
   * @returns false if it has another size; then the bytes are not in the room
   * @throws ServiceError `unavailable` if the store can't take them now
   */
  extend(room: string, offset: number, bytes: Buffer): Promise<boolean>;
  close(): Promise<void>;
}
