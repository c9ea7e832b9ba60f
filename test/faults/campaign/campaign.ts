// A campaign is a row of rounds. In each, clients write to, read and follow new rooms while replicas
// are disturbed. Then the disturbances end, and the whole history is judged.
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { toFileStem } from '../../../lib/room/name.ts';
import { findViolations, type Sent } from '../../support/checker.ts';
import { ask } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { pause } from '../../support/server.ts';
import { Random } from '../crash/random.ts';
import { Editor } from './editor.ts';
import { Fleet } from './fleet.ts';
import { Follower, RoomRecord } from './reader.ts';

/** How a campaign is run. */
export interface CampaignOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly roundMs?: number;
  readonly replicas?: number;
  readonly writers?: number;
  readonly script?: string;
  readonly slowCallsPerMillion?: number;
  /** Whether it ends after the first round with a fault. */
  readonly endsAtFault?: boolean;
  /** Called with the counts after each round. */
  readonly onRound?: (text: string) => void;
}

/** What a campaign found. */
export interface CampaignResult {
  readonly faults: string[];
  readonly counts: Record<string, number>;
}

/** Runs rounds until the time is over. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  return await new Campaign(options).run();
}

/** A message with the cursor that its sender got. */
interface Own extends Sent {
  endBytes?: number;
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #random: Random;
  readonly #store = makeTempFolder('campaign');
  readonly #fleet: Fleet;
  readonly #faults: string[] = [];
  readonly #counts: Record<string, number> = {};
  #round = 0;

  constructor(options: CampaignOptions) {
    const { seed, script, slowCallsPerMillion, replicas: count = 3 } = options;
    this.#options = options;
    this.#random = new Random(seed);
    this.#fleet = new Fleet({
      store: this.#store,
      random: this.#random,
      count,
      ...(script === undefined ? {} : { script }),
      ...(slowCallsPerMillion === undefined ? {} : { slowCallsPerMillion }),
    });
  }

  async run(): Promise<CampaignResult> {
    const { durationMs, endsAtFault = false, onRound = () => undefined } = this.#options;
    await this.#fleet.start();
    this.#count('wrong clocks', this.#fleet.hasClocks ? 1 : 0);
    const endMs = performance.now() + durationMs;
    try {
      while (performance.now() < endMs && !(endsAtFault && this.#faults.length > 0)) {
        await this.#runRound();
        onRound(`round ${this.#round}: ${this.#show()}`);
      }
    } finally {
      await this.#fleet.end();
    }
    this.#faults.push(...this.#fleet.faults);
    return { faults: this.#faults, counts: { ...this.#counts, ...this.#fleet.counts } };
  }

  #show(): string {
    const counts = Object.entries({ ...this.#counts, ...this.#fleet.counts });
    return counts.map(([name, value]) => `${value} ${name}`).join(', ');
  }

  #count(name: string, amount = 1): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + amount;
  }

  async #runRound(): Promise<void> {
    const { roundMs = 10_000, writers = 24 } = this.#options;
    this.#round += 1;
    this.#count('rounds');
    const records = ['busy', 'Tea & Cake', 'quiet'].map(
      (room) => new RoomRecord(`${room} ${this.#round}`),
    );
    const sent: Own[] = [];
    const endMs = performance.now() + roundMs;
    const isOver = (): boolean => performance.now() > endMs;
    const followers = records.flatMap((record) =>
      ['one', 'two'].map((name) => new Follower(record, () => this.#fleet.pick(), name)),
    );
    const editor = new Editor(this.#store, `edited ${this.#round}`, () => this.#fleet.pick());
    const tasks = Array.from({ length: writers }, (_, n) => this.#write(n, records, sent, isOver));
    tasks.push(this.#read(records, isOver), this.#disturb(isOver), editor.run(isOver));
    await Promise.all(tasks);
    await this.#fleet.calm();
    await this.#judge(records, sent, followers);
    this.#faults.push(...(await editor.judge()));
    await Promise.all(followers.map((follower) => follower.stop()));
    this.#count(
      'streams',
      followers.reduce((sum, { openedCount }) => sum + openedCount, 0),
    );
  }

  async #disturb(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await pause(100 + this.#random.below(500));
      await this.#fleet.disturb();
    }
  }

  async #read(records: RoomRecord[], isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const record = this.#random.pick(records);
      await record.read(this.#fleet.pick(), 'a reader');
      await pause(20);
    }
  }

  async #write(n: number, records: RoomRecord[], sent: Own[], isOver: () => boolean) {
    const client = `c${n}`;
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    for (let count = 0; !isOver(); count += 1) {
      // Most messages go to the busy room, one in a hundred to the quiet one.
      const chance = this.#random.next();
      const record = records[chance < 0.7 ? 0 : chance < 0.99 ? 1 : 2]!;
      const message = `${client}/${this.#round}/${count} ${'.'.repeat((count * 37) % 100)}`;
      const sentAtMs = performance.now();
      const one: Own = { client, room: record.room, username: client, message, sentAtMs };
      sent.push(one);
      await this.#send(record, one, agent);
    }
    agent.destroy();
  }

  async #send(record: RoomRecord, one: Own, agent: Agent): Promise<void> {
    const body = `username=${one.username}&message=${encodeURIComponent(one.message)}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { path } = record;
    const server = this.#fleet.pick();
    const answer = await ask(server, { method: 'POST', path, headers, body, agent }).catch(
      () => undefined,
    );
    if (answer === undefined) {
      this.#count('unanswered');
      await pause(20);
      return;
    }
    one.answeredAtMs = performance.now();
    if (answer.status === 201) {
      one.line = answer.text;
      this.#count('acknowledged');
      const offset = Number(String(answer.headers['chat-cursor']).split('-')[1]);
      if (!(offset > 0)) this.#faults.push(`cursor ${answer.headers['chat-cursor']}`);
      one.endBytes = offset;
      record.ackedBytes = Math.max(record.ackedBytes, offset);
    } else if (answer.status === 503 && answer.headers['retry-after'] !== undefined) {
      one.isRefused = true;
      this.#count('refused');
    } else {
      this.#faults.push(`a post was answered ${answer.status} ${answer.text}`);
    }
  }

  /** A room must take a message once the disturbances have ended. */
  async #writeLast(record: RoomRecord, sent: Own[]): Promise<void> {
    const sentAtMs = performance.now();
    const { room } = record;
    const one: Own = { client: 'last', room, username: 'last', message: `last ${room}`, sentAtMs };
    sent.push(one);
    await this.#send(record, one, new Agent());
    if (one.line === undefined)
      this.#faults.push(`${room} takes no message after the disturbances`);
  }

  /** Each receipt's cursor must stand just after its line. */
  #judgeCursors({ room, text }: RoomRecord, sent: Own[]): void {
    for (const { room: itsRoom, line, endBytes, message } of sent) {
      if (itsRoom !== room || line === undefined || endBytes === undefined) continue;
      const bytes = Buffer.from(line);
      if (text.subarray(endBytes - bytes.length, endBytes).equals(bytes)) continue;
      this.#faults.push(`the cursor of ${message} is not after it`);
      return;
    }
  }

  /** The file, every replica and every stream must have the same text, and a legal one. */
  async #judge(records: RoomRecord[], sent: Own[], followers: Follower[]): Promise<void> {
    const rooms = new Map<string, string>();
    for (const [index, record] of records.entries()) {
      const streams = followers.slice(index * 2, index * 2 + 2);
      // The last message must arrive on streams that are open and lack nothing else.
      for (const stream of streams) {
        stream.isPatient = true;
        await waitFor(() => stream.sizeBytes >= record.ackedBytes);
      }
      await this.#writeLast(record, sent);
      for (const { server } of this.#fleet.slots) await record.read(server, 'a last reader');
      const path = join(this.#store, `${toFileStem(record.room)}.txt`);
      const file = readFileSync(path);
      record.see(file.subarray(0, file.lastIndexOf(10) + 1), 'the file');
      rooms.set(record.room, record.text.toString('utf8'));
      this.#judgeCursors(record, sent);
      for (const follower of streams) {
        await waitFor(() => follower.sizeBytes >= record.text.length);
        if (!follower.text.equals(record.text)) {
          const sizes = `${follower.sizeBytes} of ${record.text.length} bytes`;
          this.#faults.push(`a stream of ${record.room} ends with ${sizes}`);
        }
      }
      this.#count('reads', record.readCount);
      this.#faults.push(...record.faults.slice(0, 5));
    }
    const violations = findViolations({ sent, seen: [], rooms, allowStumps: true });
    this.#faults.push(...violations.slice(0, 10));
  }
}

/** Waits until a condition holds, or for 20 s: the caller judges what it finds. */
async function waitFor(isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!isTrue() && performance.now() < endMs) await pause(20);
}
