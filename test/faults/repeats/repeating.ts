// Writers that lose answers at random, and always repeat. Between them and the replicas is a carrier that
// cuts, delays and doubles requests, and replicas are killed, stopped and restarted. In the end each
// message is in its room exactly once, in its writer's order.
import { Agent } from 'node:http';
import { parseLine } from '../../../lib/room/message.ts';
import { type Carrier, type Fate, startCarrier } from '../../support/carrier.ts';
import { type Answer, postBody, read } from '../../support/http.ts';
import { pause } from '../../support/server.ts';
import { Fleet } from '../campaign/fleet.ts';
import { Random } from '../crash/random.ts';

/** How it is run. */
export interface RepeatingOptions {
  /** What CHAT_STORE takes. */
  readonly store: string;
  readonly seed: number;
  readonly messageCount: number;
  readonly writerCount?: number;
  readonly replicaCount?: number;
  /** How late a copy may come. */
  readonly lateMs?: number;
  /** How many file calls in a million last longer than 2 s. */
  readonly slowCallsPerMillion?: number;
  readonly onProgress?: (text: string) => void;
}

/** What was found. */
export interface RepeatingResult {
  readonly faults: string[];
  readonly counts: Record<string, number>;
}

const rooms = ['busy', 'Tea & Cake'];

/** Sends the messages, and judges the rooms. */
export async function runRepeating(options: RepeatingOptions): Promise<RepeatingResult> {
  const random = new Random(options.seed);
  const { store, replicaCount: count = 3, slowCallsPerMillion = 0 } = options;
  const fleet = new Fleet({ store, random, count, slowCallsPerMillion });
  await fleet.start();
  try {
    return await new Repeating(options, random, fleet).run();
  } finally {
    await fleet.end();
  }
}

class Repeating {
  readonly #options: RepeatingOptions;
  readonly #random: Random;
  readonly #fleet: Fleet;
  readonly #faults: string[] = [];
  readonly #counts = { messages: 0, attempts: 0, repeats: 0, copies: 0, refused: 0 };
  /** By room and writer, in order. */
  readonly #said = new Map<string, string[]>();
  /** By room: the lines by the cursors that their writers got. */
  readonly #receipts = new Map(rooms.map((room) => [room, new Map<string, string>()]));

  constructor(options: RepeatingOptions, random: Random, fleet: Fleet) {
    this.#options = options;
    this.#random = random;
    this.#fleet = fleet;
  }

  async run(): Promise<RepeatingResult> {
    const { writerCount = 20 } = this.#options;
    const carrier = await startCarrier(() => this.#decide());
    const writers = Array.from({ length: writerCount }, (_, n) => this.#write(`w${n}`, carrier));
    let isOver = false;
    const disturbing = this.#disturb(() => isOver);
    await Promise.all(writers);
    isOver = true;
    await disturbing;
    await this.#fleet.calm();
    await carrier.idle();
    carrier.close();
    for (const room of rooms) await this.#judge(room);
    this.#faults.push(...this.#fleet.faults);
    return { faults: this.#faults, counts: { ...this.#counts, ...this.#fleet.counts } };
  }

  async #disturb(isOver: () => boolean): Promise<void> {
    for (let n = 0; !isOver(); n += 1) {
      await pause(300 + this.#random.below(900));
      await this.#fleet.disturb();
      if (n % 20 === 0) this.#options.onProgress?.(JSON.stringify(this.#counts));
    }
  }

  /** What the wire does to a request: more than a third of them lose their answer. */
  #decide(): Fate {
    const { lateMs = 1500 } = this.#options;
    const copy = (latestMs = 0) => ({
      server: this.#fleet.pick(),
      delayMs: this.#random.below(latestMs + 1),
    });
    const chance = this.#random.next();
    const fate: Fate =
      chance < 0.5
        ? { copies: [copy()], client: 'answer' }
        : chance < 0.6
          ? { copies: [], client: 'cut' }
          : chance < 0.75
            ? { copies: [copy()], client: 'cut at the answer' }
            : chance < 0.85
              ? { copies: [copy(), copy(), copy(5)], client: 'answer' }
              : chance < 0.95
                ? { copies: [copy(lateMs)], client: 'cut' }
                : { copies: [copy(), copy(lateMs)], client: 'answer' };
    this.#counts.copies += fate.copies.length;
    return fate;
  }

  /** Says one thing after the other; every second one is the same words again. */
  async #write(name: string, carrier: Carrier): Promise<void> {
    const cursors = new Map(rooms.map((room) => [room, '0']));
    const agent = new Agent({ keepAlive: true });
    for (let n = 0; this.#counts.messages < this.#options.messageCount; n += 1) {
      this.#counts.messages += 1;
      const room = this.#random.chance(0.8) ? rooms[0]! : rooms[1]!;
      const message = n % 2 === 0 ? 'ok' : `message ${n}`;
      const key = JSON.stringify([room, name]);
      this.#said.set(key, [...(this.#said.get(key) ?? []), message]);
      const answer = await this.#send(carrier, room, cursors.get(room)!, name, message);
      const cursor = String(answer.headers['chat-cursor']);
      cursors.set(room, cursor);
      const parsed = parseLine(answer.text);
      if (parsed?.username !== name || parsed.message !== message) {
        this.#faults.push(`${name} said ${message} and was answered ${answer.text}`);
      }
      const receipts = this.#receipts.get(room)!;
      if (receipts.has(cursor)) this.#faults.push(`${cursor} was given for two messages`);
      receipts.set(cursor, answer.text);
    }
    agent.destroy();
  }

  /** Repeats until a replica answers that the message is stored. */
  async #send(
    carrier: Carrier,
    room: string,
    since: string,
    username: string,
    message: string,
  ): Promise<Answer> {
    const path = `/chat/${encodeURIComponent(room)}?since=${since}`;
    const body = new URLSearchParams({ username, message }).toString();
    for (;;) {
      this.#counts.attempts += 1;
      const answer = await postBody(carrier, path, body).catch(() => undefined);
      if (answer?.status === 200) this.#counts.repeats += 1;
      if (answer?.status === 200 || answer?.status === 201) return answer;
      if (answer?.status === 503) this.#counts.refused += 1;
      else if (answer !== undefined) {
        this.#faults.push(`${username} was answered ${answer.status} ${answer.text}`);
      }
      await pause(this.#random.below(20));
    }
  }

  async #judge(room: string): Promise<void> {
    const texts = await Promise.all(this.#fleet.slots.map(({ server }) => read(server, room)));
    const { body, text, headers } = texts[0]!;
    if (texts.some((other) => !other.body.equals(body))) {
      this.#faults.push(`the replicas differ in ${room}`);
    }
    const found = new Map<string, string[]>();
    for (const line of text.split('\n').slice(0, -1)) {
      const parsed = parseLine(line);
      const key = JSON.stringify([room, parsed?.username]);
      found.set(key, [...(found.get(key) ?? []), parsed?.message ?? line]);
    }
    for (const [key, said] of this.#said) {
      const stored = found.get(key) ?? [];
      if (JSON.parse(key)[0] !== room || said.join('\n') === stored.join('\n')) continue;
      const index = said.findIndex((message, n) => message !== stored[n]);
      const [from, to] = [Math.max(0, index - 2), index + 3];
      this.#faults.push(
        `${key} said ${said.length} messages, and ${stored.length} are there; at ${index} ` +
          `${said.slice(from, to)} became ${stored.slice(from, to)}`,
      );
    }
    const epoch = String(headers['chat-cursor']).split('-')[0];
    for (const [cursor, line] of this.#receipts.get(room)!) {
      const [itsEpoch, offset] = cursor.split('-') as [string, string];
      const start = Number(offset) - Buffer.byteLength(line);
      const isThere = body.toString('utf8', start, Number(offset)) === line;
      if (!isThere || itsEpoch !== epoch) this.#faults.push(`${cursor} is not after ${line}`);
    }
  }
}
