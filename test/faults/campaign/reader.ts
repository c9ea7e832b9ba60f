// The readers of a campaign: reads of whole rooms, and streams that resume on any replica. Each is
// judged at once: one order for all, and nothing missing that was acknowledged before.
import { type ClientRequest, request } from 'node:http';
import { ask } from '../../support/http.ts';
import { pause, type Server } from '../../support/server.ts';
import { EventParser } from '../../support/sse.ts';

/** What the readers of one room saw, all together. */
export class RoomRecord {
  readonly room: string;
  readonly faults: string[] = [];
  /** The longest text that anybody saw; every other text must be its beginning. */
  text = Buffer.alloc(0);
  /** The highest offset that was acknowledged. */
  ackedBytes = 0;
  readCount = 0;

  constructor(room: string) {
    this.room = room;
  }

  get path(): string {
    return `/chat/${encodeURIComponent(this.room)}`;
  }

  /** Records a text that somebody saw, from the room's beginning. */
  see(text: Buffer, who: string): void {
    const length = Math.min(text.length, this.text.length);
    if (!text.subarray(0, length).equals(this.text.subarray(0, length))) {
      this.faults.push(`${who} sees another order or other lines in ${this.room}`);
    }
    if (text.length > this.text.length) this.text = Buffer.from(text);
  }

  /** Reads the whole room once. */
  async read(server: Server, who: string): Promise<void> {
    const leastBytes = this.ackedBytes;
    const answer = await ask(server, { path: this.path }).catch(() => undefined);
    if (answer === undefined || answer.status === 503) return;
    if (answer.status !== 200) {
      this.faults.push(`a read was answered ${answer.status} ${answer.text}`);
      return;
    }
    this.readCount += 1;
    // A last line without LF is a stump, which the next message ends.
    const text = answer.body.subarray(0, answer.body.lastIndexOf(10) + 1);
    if (text.length < leastBytes) {
      this.faults.push(`${who} sees ${text.length} of ${leastBytes} acknowledged bytes`);
    }
    this.see(text, who);
  }
}

/** A live reader that resumes at its cursor whenever its stream is cut. */
export class Follower {
  readonly #record: RoomRecord;
  readonly #pick: () => Server;
  readonly #who: string;
  readonly #lines: string[] = [];
  #cursor = '';
  #isStopped = false;
  #outgoing: ClientRequest | undefined;
  readonly #running: Promise<void>;
  /** Whether it waits for a silent replica instead of trying another. */
  isPatient = false;
  openedCount = 0;
  sizeBytes = 0;

  constructor(record: RoomRecord, pick: () => Server, who: string) {
    this.#record = record;
    this.#pick = pick;
    this.#who = who;
    this.#running = this.#run();
  }

  /** All lines that it has seen. */
  get text(): Buffer {
    return Buffer.from(this.#lines.join(''));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#outgoing?.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#open();
      await pause(10);
    }
  }

  /** Resolves when the stream has ended, or was silent for so long that it gives it up. */
  #open(): Promise<void> {
    this.openedCount += 1;
    return new Promise((resolve) => {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (this.#cursor !== '') headers['last-event-id'] = this.#cursor;
      const { port } = this.#pick();
      const path = this.#record.path;
      const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false });
      this.#outgoing = outgoing;
      const parser = this.#makeParser();
      // A stopped replica is silent.
      outgoing.setTimeout(1500 + Math.random() * 1500, () => {
        if (!this.isPatient) outgoing.destroy();
      });
      outgoing.on('response', (incoming) => {
        if (incoming.statusCode !== 200 && incoming.statusCode !== 503) {
          this.#record.faults.push(`a stream was answered ${incoming.statusCode}`);
        }
        if (incoming.statusCode === 200) incoming.on('data', (chunk) => parser.push(chunk));
        else incoming.resume();
        incoming.on('error', () => undefined);
      });
      outgoing.on('error', () => undefined);
      outgoing.on('close', resolve);
      outgoing.end();
    });
  }

  #makeParser(): EventParser {
    const parser = new EventParser((event) => {
      if (event.type === 'reset')
        this.#record.faults.push(`${this.#who} is reset at ${this.#cursor}`);
      if (event.type === 'message') {
        const line = `${event.data}\n`;
        this.#lines.push(line);
        this.sizeBytes += Buffer.byteLength(line);
        const offset = Number(event.lastEventId.split('-')[1]);
        if (offset !== this.sizeBytes) {
          this.#record.faults.push(
            `${this.#who} has ${this.sizeBytes} bytes at ${event.lastEventId}`,
          );
        }
      }
      if (event.hasId) this.#cursor = event.lastEventId;
    });
    parser.lastEventId = this.#cursor;
    return parser;
  }
}
