/**
 * Where rooms stand if nobody else wrote to them: a replica that is alone on a room need not ask before
 * it writes. A guess is good for one statement, which finds no row where it is wrong.
 */
import type { RoomRow } from './room-rows.ts';

/** Of how many rooms is remembered where they stand. */
const MAX_GUESSES = 4096;

/** What a room's row was after this process's last commit. */
export interface Guess {
  readonly row: RoomRow;
  /** Whether nobody else had written between the last two of them. */
  readonly isAlone: boolean;
}

/** The guesses of one process. */
export class Guesses {
  readonly #rooms = new Map<string, Guess>();

  /** Takes a guess away: until the next commit nothing is known. */
  take(room: string): Guess | undefined {
    const guess = this.#rooms.get(room);
    this.#rooms.delete(room);
    return guess;
  }

  /** Remembers a room, and forgets the one that was written to least lately past the limit. */
  put(room: string, guess: Guess): void {
    this.#rooms.set(room, guess);
    if (this.#rooms.size <= MAX_GUESSES) return;
    for (const oldest of this.#rooms.keys()) {
      this.#rooms.delete(oldest);
      return;
    }
  }
}
