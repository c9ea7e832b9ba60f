/** A store as `migrate` copies from it and to it. */

/** A room's text. */
export interface RoomText {
  readonly sizeBytes: number;
  /** Reads a part; a chunk is good until the next one is asked for. */
  read(from: number, to: number): AsyncIterable<Buffer>;
}

/** A home of rooms that can be copied from and to. */
export interface Archive {
  readonly description: string;
  /** All rooms with their lengths. */
  listRooms(): Promise<{ room: string; sizeBytes: number }[]>;
  /** Gives a room as it stands; one that does not exist is empty. */
  snapshot(room: string): RoomText | Promise<RoomText>;
  /**
   * Adds bytes to a room as they are, durably; makes the room where it does not exist.
   *
   * @returns whether the room was `offset` bytes long; if not, nothing is added
   */
  extend(room: string, offset: number, bytes: Buffer): Promise<boolean>;
  close(): Promise<void>;
}
