// The loops of the fuzz run.
import { connect, type Socket } from 'node:net';
import { Random } from '../crash/random.ts';
import { properties } from './parsers.ts';
import { Target } from './wire.ts';

/** What a run gave. */
export interface FuzzResult {
  readonly summary: string;
  readonly faults: string[];
}

/** Feeds the parsers for so long, or with so many inputs; a fault names the seed that repeats it. */
export function fuzzParsers(
  seed: number,
  limit: { durationMs: number } | { inputs: number },
): FuzzResult {
  const faults: string[] = [];
  const all = Object.entries(properties);
  const begunMs = performance.now();
  const isOver = (): boolean =>
    'inputs' in limit ? count >= limit.inputs : performance.now() - begunMs >= limit.durationMs;
  let count = 0;
  for (let turn = 0; !isOver() && faults.length < 10; turn += 1) {
    const inputSeed = seed + turn;
    for (const [name, property] of all) {
      try {
        property(new Random(inputSeed));
      } catch (error) {
        faults.push(`${name} (seed ${inputSeed}): ${(error as Error).message.slice(0, 400)}`);
      }
      count += 1;
    }
  }
  const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
  return { summary: `parsers: ${count} inputs in ${seconds} s`, faults };
}

/** The most memory that a server under attack may have in the end. */
const MAX_MEMORY_BYTES = 400 << 20;

/** Attacks a server for so long with so many connections at a time, and many idle ones beside. */
export async function fuzzServer(
  seed: number,
  durationMs: number,
  width: number,
): Promise<FuzzResult> {
  const random = new Random(seed);
  const target = await Target.start();
  const idle = openIdle(target.server.port, 1000);
  const endMs = performance.now() + durationMs;
  const attackers = Array.from({ length: width }, async () => {
    while (performance.now() < endMs) await target.attack(random);
  });
  await Promise.all(attackers);
  for (const socket of idle) socket.destroy();
  const faults = await target.judge();
  const { memoryBytes } = target;
  if (memoryBytes > MAX_MEMORY_BYTES) faults.push(`${memoryBytes} bytes of memory`);
  await target.end();
  const statuses = [...target.statuses].sort().map(([status, count]) => `${status}: ${count}`);
  const megabytes = Math.round(memoryBytes / 2 ** 20);
  const summary = `server: ${target.connectionCount} connections, ${megabytes} MiB in the end; ${statuses.join(', ')}`;
  return { summary, faults };
}

function openIdle(port: number, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    return socket;
  });
}
