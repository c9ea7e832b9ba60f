// Many clients that talk to one or more replicas at once, and a record of all that they did.
import { Agent } from 'node:http';
import type { Seen, Sent } from './checker.ts';
import { ask, read } from './http.ts';
import { pause, type Server } from './server.ts';

/** What a crowd does. */
export interface CrowdOptions {
  /** The replicas. A test may replace one while the crowd talks. */
  servers: Server[];
  rooms: string[];
  clientCount: number;
  /** How many messages each client sends; without it, a client stops when `isOver` says so. */
  messageCount?: number;
  isOver?: () => boolean;
  /** After how many of its own messages a client reads a whole room on some replica. */
  readEvery?: number;
  /** The clients' names begin with it, so that several crowds can be told apart. */
  prefix?: string;
  /** How long a client waits after a refusal, in milliseconds; none by default. */
  refusalPauseMs?: number;
  /** Filled while the crowd talks, for a test that waits for what it does; a new one by default. */
  record?: CrowdRecord;
}

/** All that a crowd did, for the checker. */
export interface CrowdRecord {
  sent: Sent[];
  seen: Seen[];
  /** The longest time that an answer took. */
  longestMs: number;
}

/** The body of the one refusal that leaves open whether the message is stored. */
export const unknownOutcome = /may be there or not/;

/** A record of nothing yet. */
export function makeRecord(): CrowdRecord {
  return { sent: [], seen: [], longestMs: 0 };
}

/** Runs clients, each of which waits for its answers, and records what they did. */
export async function runCrowd(options: CrowdOptions): Promise<CrowdRecord> {
  const { record = makeRecord() } = options;
  const clients = Array.from({ length: options.clientCount }, (_, index) =>
    runClient(options, index, record),
  );
  await Promise.all(clients);
  return record;
}

/** Lets every process send one message to each of so many new rooms, and gives what came of it. */
export async function beginRooms(servers: Server[], count: number) {
  const names = Array.from({ length: count }, (_, n) => `new-${n}`);
  const crowd = { rooms: names, clientCount: 1, messageCount: count };
  const records = await Promise.all(
    servers.map((server, n) => runCrowd({ ...crowd, servers: [server], prefix: `p${n}-` })),
  );
  const rooms = new Map<string, string>();
  for (const name of names) rooms.set(name, (await read(servers[0]!, name)).text);
  return { sent: records.flatMap(({ sent }) => sent), seen: [], rooms };
}

async function runClient(options: CrowdOptions, index: number, record: CrowdRecord): Promise<void> {
  const { rooms, messageCount = Number.POSITIVE_INFINITY, isOver = () => false } = options;
  const client = `${options.prefix ?? 'c'}${index}`;
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  for (let n = 0; n < messageCount && !isOver(); n += 1) {
    // The steps differ, so that each client uses each room on each replica.
    const room = rooms[(n + index) % rooms.length]!;
    const server = options.servers[(n * 7 + index + (n >> 3)) % options.servers.length]!;
    const one: Sent = {
      client,
      room,
      username: client,
      message: `${client}/${n} ${'.'.repeat((n * 37) % 100)}`,
      sentAtMs: performance.now(),
    };
    record.sent.push(one);
    await send(server, one, agent, record);
    if (one.isRefused && options.refusalPauseMs) await pause(options.refusalPauseMs);
    if (options.readEvery && n % options.readEvery === 0) {
      await readRoom(options.servers[n % options.servers.length]!, room, agent, record);
    }
  }
  agent.destroy();
}

/** Sends one message and records what is known of it afterwards. */
async function send(server: Server, one: Sent, agent: Agent, record: CrowdRecord): Promise<void> {
  const body = `username=${one.username}&message=${encodeURIComponent(one.message)}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const path = `/chat/${encodeURIComponent(one.room)}`;
  try {
    const answer = await ask(server, { method: 'POST', path, headers, body, agent });
    const nowMs = performance.now();
    if (answer.status === 201) {
      one.answeredAtMs = nowMs;
      one.line = answer.text;
    } else if (answer.status === 503 && answer.headers['retry-after']) {
      one.isRefused = !unknownOutcome.test(answer.text);
    } else {
      throw new Error(`${answer.status} ${answer.text}`);
    }
    record.longestMs = Math.max(record.longestMs, nowMs - one.sentAtMs);
  } catch (error) {
    // A killed replica leaves its clients in the dark; any other error is a fault.
    if (!isCutOff(error)) throw error;
    await pause(20);
  }
}

/** Reads a whole room and records what was seen. */
async function readRoom(server: Server, room: string, agent: Agent, record: CrowdRecord) {
  const beganAtMs = performance.now();
  try {
    const { status, text } = await ask(server, {
      path: `/chat/${encodeURIComponent(room)}`,
      agent,
    });
    if (status === 200) record.seen.push({ room, beganAtMs, text });
    else if (status !== 503) throw new Error(`${status} ${text}`);
  } catch (error) {
    if (!isCutOff(error)) throw error;
  }
}

function isCutOff(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code);
}
