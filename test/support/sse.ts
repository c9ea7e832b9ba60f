// Reads Server-Sent Events as a browser's EventSource does: one stream, or a reader that resumes.
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Server } from './server.ts';
import { pause, waitUntil, withDeadline } from './server.ts';

type Target = Pick<Server, 'port'>;

/** One event, as EventSource dispatches it. */
export interface LiveEvent {
  /** `message` if the stream names none. */
  type: string;
  data: string;
  /** The last `id:` up to and including this event. */
  lastEventId: string;
  /** Whether this event carried an `id:` of its own. */
  hasId: boolean;
  /** When it was read, on the clock of `performance.now()`. */
  atMs: number;
}

/** Turns the bytes of a stream into events (HTML Standard §9.2.6). */
export class EventParser {
  /** The value of the last `id:`. */
  lastEventId = '';
  /** The value of the last `retry:`, in milliseconds. */
  retryMs: number | undefined;
  #decoder = new TextDecoder('utf-8');
  #rest = '';
  #type = '';
  #data: string[] = [];
  #hasId = false;
  #emit: (event: LiveEvent) => void;

  constructor(emit: (event: LiveEvent) => void) {
    this.#emit = emit;
  }

  /** Takes the next bytes, cut anywhere. */
  push(bytes: Uint8Array): void {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    // A CR at the very end may be the first half of CR LF.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#takeLine(line);
  }

  #takeLine(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#type = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    else if (field === 'id' && !value.includes('\0')) {
      this.lastEventId = value;
      this.#hasId = true;
    }
  }

  #dispatch(): void {
    const [type, data, hasId] = [this.#type || 'message', this.#data, this.#hasId];
    this.#type = '';
    this.#data = [];
    this.#hasId = false;
    if (data.length === 0) return;
    const { lastEventId } = this;
    this.#emit({ type, data: data.join('\n'), lastEventId, hasId, atMs: performance.now() });
  }
}

/** How a stream is requested. */
export interface LiveOptions {
  /** The path with its query; by default `/chat/<room>`. */
  path?: string;
  lastEventId?: string;
  headers?: Record<string, string>;
  /** Called for each event as it arrives. */
  onEvent?: (event: LiveEvent) => void;
}

/** One open stream. */
export interface LiveStream {
  status: number;
  headers: IncomingHttpHeaders;
  /** All events so far. */
  events: LiveEvent[];
  /** The cursor at which the next stream resumes. */
  lastEventId(): string;
  retryMs(): number | undefined;
  /** How it ended: as HTTP demands (`ended`), in the middle (`cut`), or by this side (`closed`). */
  ended: Promise<'ended' | 'cut' | 'closed'>;
  /** Waits for an event that fits; it may already have arrived. */
  waitFor(
    what: string,
    fits: (event: LiveEvent) => boolean,
    timeoutMs?: number,
  ): Promise<LiveEvent>;
  close(): void;
}

/** Opens a stream on 127.0.0.1. Resolves when the head of the response has arrived. */
export async function openLive(
  server: Target,
  room: string,
  options: LiveOptions = {},
): Promise<LiveStream> {
  const path = options.path ?? `/chat/${encodeURIComponent(room)}`;
  const headers: Record<string, string> = { accept: 'text/event-stream', ...options.headers };
  if (options.lastEventId) headers['last-event-id'] = options.lastEventId;
  const outgoing = request({ host: '127.0.0.1', port: server.port, path, headers, agent: false });
  const head = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  outgoing.end();
  const answer = await withDeadline(head, 60_000, () => `no answer to GET ${path}`);
  const events: LiveEvent[] = [];
  const waiting = new Set<() => void>();
  const parser = new EventParser((event) => {
    events.push(event);
    options.onEvent?.(event);
    for (const check of waiting) check();
  });
  parser.lastEventId = options.lastEventId ?? '';
  let isClosed = false;
  let isEnded = false;
  const ended = new Promise<'ended' | 'cut' | 'closed'>((resolve) => {
    answer.on('close', () => {
      isEnded = true;
      for (const check of waiting) check();
      resolve(isClosed ? 'closed' : answer.complete ? 'ended' : 'cut');
    });
  });
  // A cut also shows as an error on both; `ended` reports it.
  answer.on('error', () => {});
  outgoing.on('error', () => {});
  answer.on('data', (chunk: Buffer) => parser.push(chunk));
  const waitFor: LiveStream['waitFor'] = (what, fits, timeoutMs = 20_000) => {
    let checkedCount = 0;
    let check = () => {};
    const found = new Promise<LiveEvent>((resolve, reject) => {
      check = () => {
        for (; checkedCount < events.length; checkedCount += 1) {
          const event = events[checkedCount]!;
          if (fits(event)) return resolve(event);
        }
        if (isEnded) reject(new Error(`the stream ended without ${what}`));
      };
      waiting.add(check);
      check();
    });
    return withDeadline(found, timeoutMs, () => `no event with ${what}`).finally(() =>
      waiting.delete(check),
    );
  };
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    events,
    lastEventId: () => parser.lastEventId,
    retryMs: () => parser.retryMs,
    ended,
    waitFor,
    close: () => {
      isClosed = true;
      outgoing.destroy();
    },
  };
}

/** A reader that resumes, and what it has seen. */
export interface LiveReader {
  /** The lines, each with its LF: in the end, exactly the text of the room. */
  text(): string;
  /** A sentence for each stream that was not answered with 200, or was cut in the middle. */
  failures: string[];
  /** How many streams it opened. */
  openedCount: number;
  /** How many resets the service sent. */
  resetCount: number;
  /** The names of the servers whose streams it read. */
  servers: Set<string>;
  /** Waits until its text equals `expected`. */
  waitForText(expected: string, timeoutMs?: number): Promise<void>;
  /** Closes its stream and opens no other. */
  stop(): Promise<void>;
}

/** Reads a room live as a page does: when a stream ends, the next one resumes at the last cursor. */
export function followRoom(server: Target, room: string, options: LiveOptions = {}): LiveReader {
  const failures: string[] = [];
  const servers = new Set<string>();
  let lines: string[] = [];
  let lastEventId = options.lastEventId ?? '';
  let retryMs = 200;
  let isStopped = false;
  let stream: LiveStream | undefined;

  const takeEvent = (event: LiveEvent) => {
    if (event.type === 'message') lines.push(`${event.data}\n`);
    if (event.type === 'server') servers.add(event.data);
    if (event.type === 'reset') {
      reader.resetCount += 1;
      lines = [];
    }
    options.onEvent?.(event);
  };

  const readOne = async () => {
    reader.openedCount += 1;
    stream = await openLive(server, room, { ...options, lastEventId, onEvent: takeEvent });
    if (isStopped) stream.close();
    if (stream.status !== 200) {
      failures.push(`a stream was answered ${stream.status}`);
      stream.close();
      return;
    }
    const end = await stream.ended;
    if (end === 'cut') failures.push('a stream was cut in its middle');
    lastEventId = stream.lastEventId();
    retryMs = stream.retryMs() ?? retryMs;
  };

  const run = async () => {
    while (!isStopped) {
      try {
        await readOne();
      } catch (error) {
        failures.push(`a stream could not be opened: ${(error as Error).message}`);
      }
      if (!isStopped) await pause(retryMs);
    }
  };

  const reader: LiveReader = {
    text: () => lines.join(''),
    failures,
    openedCount: 0,
    resetCount: 0,
    servers,
    waitForText: (expected, timeoutMs = 30_000) =>
      waitUntil('a reader with the whole text', () => reader.text() === expected, timeoutMs),
    stop: () => {
      isStopped = true;
      stream?.close();
      return running;
    },
  };
  const running = run();
  return reader;
}
