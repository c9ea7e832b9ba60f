// A soak: one server under mixed load for a given time. Its memory and open handles are sampled
// meanwhile, and once more when every client has left.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { MAX_COMMITS } from '../../../lib/store/group-commit.ts';
import { get, post, read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { pause, type Server, startServer } from '../../support/server.ts';
import { Follower, RoomRecord } from './reader.ts';

/** One measurement of the server. */
export interface Sample {
  readonly memoryBytes: number;
  readonly handleCount: number;
}

/** What a soak found. */
export interface SoakResult {
  readonly samples: Sample[];
  readonly faults: string[];
  readonly messageCount: number;
}

/** How much a server may grow after its warm-up. */
const MAX_GROWTH_BYTES = 48 << 20;
const MAX_GROWTH_HANDLES = 10;

const ROOM_COUNT = 50;

/** Runs a soak; its first fifth is the warm-up. */
export async function runSoak(
  durationMs: number,
  onSample: (sample: Sample) => void = () => undefined,
): Promise<SoakResult> {
  const server = await startServer({
    store: makeTempFolder('soak'),
    env: { CHAT_LOG: 'warn' },
  });
  await get(server, '/chat/warm');
  const before = sample(server);
  const samples: Sample[] = [];
  const endMs = performance.now() + durationMs;
  const isOver = (): boolean => performance.now() > endMs;
  const counts = { messages: 0 };
  const faults: string[] = [];
  const people = Array.from({ length: 16 }, (_, n) => talk(server, n, isOver, counts, faults));
  const watchers = Array.from({ length: 8 }, (_, n) => comeAndGo(server, n, isOver, faults));
  while (!isOver()) {
    await pause(Math.min(5000, durationMs / 20));
    samples.push(sample(server));
    onSample(samples.at(-1)!);
  }
  await Promise.all([...people, ...watchers]);
  for (let n = 0; n < 50 && sample(server).handleCount > before.handleCount; n += 1)
    await pause(100);
  faults.push(...judge(before, samples, sample(server), server));
  await server.kill();
  return { samples, faults, messageCount: counts.messages };
}

function judge(before: Sample, samples: Sample[], after: Sample, server: Server): string[] {
  const faults: string[] = [];
  const warm = samples.slice(Math.floor(samples.length / 5));
  const half = Math.floor(warm.length / 2);
  const growth = median(warm.slice(half)) - median(warm.slice(0, half));
  if (growth > MAX_GROWTH_BYTES) faults.push(`memory grew by ${growth} bytes`);
  const handles = after.handleCount - before.handleCount;
  if (handles > MAX_GROWTH_HANDLES) faults.push(`${handles} handles are left open`);
  for (const line of server.stdout) if (/ (error|warn) /.test(line)) faults.push(`log: ${line}`);
  for (const line of server.stderr) faults.push(`standard error: ${line}`);
  return faults;
}

function median(samples: Sample[]): number {
  const sorted = samples.map(({ memoryBytes }) => memoryBytes).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function sample({ pid }: Server): Sample {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const memoryBytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  const handles = readdirSync(`/proc/${pid}/fd`).map((fd) => tryReadLink(`/proc/${pid}/fd/${fd}`));
  const locks = handles.filter((target) => target.endsWith('.own')).length;
  const rooms = handles.filter((target) => target.endsWith('.txt')).length;
  // The store holds some on purpose, and a bounded number: lock inodes, and rooms in its journal.
  const kept = Math.min(locks, MAX_COMMITS) + Math.min(rooms, ROOM_COUNT);
  return { memoryBytes, handleCount: handles.length - kept };
}

/** @returns what a handle refers to; an empty text if it was closed meanwhile */
function tryReadLink(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

/** Posts to one room after another, reads their ends, and every tenth time a whole room. */
async function talk(
  server: Server,
  n: number,
  isOver: () => boolean,
  counts: { messages: number },
  faults: string[],
): Promise<void> {
  for (let count = 0; !isOver(); count += 1) {
    const room = `room ${(n + (count >> 7)) % ROOM_COUNT}`;
    const given = await post(server, room, { username: `u${n}`, message: `${count}` });
    if (given.status !== 201) faults.push(`a post was answered ${given.status}`);
    counts.messages += 1;
    const headers = count % 10 === 0 ? {} : { range: 'bytes=-4096' };
    if (count % 3 === 0) await read(server, room, headers);
    await pause(5);
  }
}

/** Opens a stream, reads it for a while, closes it, and opens the next one. */
async function comeAndGo(
  server: Server,
  n: number,
  isOver: () => boolean,
  faults: string[],
): Promise<void> {
  for (let count = n; !isOver(); count += 1) {
    const record = new RoomRecord(`room ${count % ROOM_COUNT}`);
    const follower = new Follower(record, () => server, `watcher ${n}`);
    await pause(500 + (count % 7) * 300);
    await follower.stop();
    faults.push(...record.faults);
  }
}
