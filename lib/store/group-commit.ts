/**
 * Group commit: messages that wait for the same room are written and synced together.
 *
 * While one batch of a room is committed, the next one gathers. Everything has a bound: a batch in
 * bytes, what waits for one room in messages, what waits for all rooms in bytes, and how many rooms
 * commit at one time.
 */
import { ServiceError } from '../errors.ts';
import type { SentCursor } from '../room/cursor.ts';
import type { Entry } from '../room/message.ts';
import type { Outcome, Post } from './repeats.ts';
import type { Receipt } from './store.ts';

/** A batch takes no further message once its text may be this long, in bytes. */
export const MAX_BATCH_BYTES = 1 << 20;

/** How many messages wait for one room before the next one is refused. */
export const MAX_ROOM_MESSAGES = 10_000;

/** How much memory the messages of all rooms take, from append to answer, before one is refused. */
export const MAX_WAITING_BYTES = 32 << 20;

/** How many rooms commit at one time: each holds a lock and an open file, or a connection. */
export const MAX_COMMITS = 64;

/** What a waiting message takes beside its text, in bytes: promises and objects. */
const OVERHEAD_BYTES = 1024;

/**
 * Commits a batch of a room.
 *
 * @returns the outcome of each message
 * @throws whatever all the senders get to hear, with no part of the batch stored
 */
export type Commit = (room: string, posts: readonly Post[]) => Promise<Outcome[]>;

interface Message extends Post {
  /** The most that its text takes, in bytes. */
  readonly textBytes: number;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
}

interface Queue {
  readonly messages: Message[];
  /** Resolves when the queue is empty and all its messages are answered. */
  emptied: Promise<void>;
}

/** The queues of all rooms. */
export class GroupCommit {
  readonly #commit: Commit;
  readonly #queues = new Map<string, Queue>();
  readonly #slots = new Slots(MAX_COMMITS);
  #waitingBytes = 0;

  /** @param commit is never called for a room while it still commits a batch of that room */
  constructor(commit: Commit) {
    this.#commit = commit;
  }

  /**
   * Queues a message.
   *
   * @returns its receipt, once it is committed
   * @throws ServiceError `busy` if too much waits already; whatever the commit rejects with
   */
  async append(room: string, entry: Entry, since?: SentCursor): Promise<Receipt> {
    const textBytes = countMostBytes(entry);
    const waitingBytes = this.#waitingBytes + textBytes + OVERHEAD_BYTES;
    const queue = this.#queues.get(room) ?? { messages: [], emptied: Promise.resolve() };
    if (waitingBytes > MAX_WAITING_BYTES) {
      throw new ServiceError('busy', 'too many messages wait to be stored; try again');
    }
    if (queue.messages.length >= MAX_ROOM_MESSAGES) {
      throw new ServiceError('busy', 'too many messages wait for this room; try again');
    }
    this.#waitingBytes = waitingBytes;
    const receipt = new Promise<Receipt>((resolve, reject) => {
      queue.messages.push({ entry, since, textBytes, resolve, reject });
    });
    if (!this.#queues.has(room)) {
      this.#queues.set(room, queue);
      queue.emptied = this.#empty(room, queue.messages);
    }
    return receipt;
  }

  /** Resolves when every message is answered. */
  async idle(): Promise<void> {
    while (this.#queues.size > 0) {
      await Promise.all(Array.from(this.#queues.values(), ({ emptied }) => emptied));
    }
  }

  /** Commits a room's messages, batch by batch, until none waits. */
  async #empty(room: string, messages: Message[]): Promise<void> {
    await gatherArrivals();
    while (messages.length > 0) {
      // For each batch the room goes to the end of the line, so that it keeps no other waiting.
      await this.#slots.take();
      const batch = messages.splice(0, countBatch(messages));
      const answer = await this.#commitBatch(room, batch);
      await letOthersLock();
      answer();
      await gatherFollowers();
      this.#slots.free();
    }
    this.#queues.delete(room);
  }

  /** Commits a batch. Never rejects; returns what tells the senders the outcome. */
  async #commitBatch(room: string, batch: readonly Message[]): Promise<() => void> {
    const release = (): void => {
      for (const { textBytes } of batch) this.#waitingBytes -= textBytes + OVERHEAD_BYTES;
    };
    try {
      const outcomes = await this.#commit(room, batch);
      return () => {
        release();
        for (const [index, { resolve, reject }] of batch.entries()) {
          const outcome = outcomes[index]!;
          if (outcome instanceof ServiceError) reject(outcome);
          else resolve(outcome);
        }
      };
    } catch (error) {
      return () => {
        release();
        for (const { reject } of batch) reject(error);
      };
    }
  }
}

/** Lets so many work at one time; the others wait in line. */
class Slots {
  #freeCount: number;
  readonly #line: (() => void)[] = [];

  constructor(count: number) {
    this.#freeCount = count;
  }

  async take(): Promise<void> {
    if (this.#freeCount === 0) return new Promise((resolve) => this.#line.push(resolve));
    this.#freeCount -= 1;
  }

  free(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#freeCount += 1;
    else next();
  }
}

/** Waits a tick, so that all messages that arrive in this one go into the first batch. */
const gatherArrivals = nextTick;

/** Waits a tick, so that another process that waits for the room's lock gets it first. */
const letOthersLock = nextTick;

/** Waits for what senders say right after their answer, so that it goes into the next batch. */
async function gatherFollowers(): Promise<void> {
  await nextTick();
  await nextTick();
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A UTF-16 unit takes at most three bytes in UTF-8; time and punctuation take less than 32. */
function countMostBytes({ username, message }: Entry): number {
  return 3 * (username.length + message.length) + 32;
}

/** @returns how many of the messages that wait go into the next batch: at least one */
function countBatch(messages: readonly Message[]): number {
  let sizeBytes = 0;
  for (const [index, { textBytes }] of messages.entries()) {
    sizeBytes += textBytes;
    if (sizeBytes > MAX_BATCH_BYTES) return Math.max(1, index);
  }
  return messages.length;
}
