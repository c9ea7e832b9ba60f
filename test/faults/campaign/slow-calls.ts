// Loaded into a replica before the service: makes its file calls slow at random, now and then for
// longer than a lock's owner may show no sign of life. So other replicas act between any two of them.
import fs from 'node:fs';

const names = [
  ...['openSync', 'fstatSync', 'statSync', 'readSync', 'writeSync', 'unlinkSync'],
  ...['ftruncateSync', 'fdatasync'],
] as const;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** How many calls in a million last longer than 2 s, after which a lock is stale. */
const slowCallsPerMillion = Number(process.env.SLOW_CALLS_PER_MILLION ?? 0);

function waitAtRandom(): void {
  const chance = Math.random() * 1e6;
  if (chance < slowCallsPerMillion) Atomics.wait(cell, 0, 0, 2100 + Math.random() * 1500);
  else if (chance < 30_000) Atomics.wait(cell, 0, 0, Math.random() * 3);
}

for (const name of names) {
  const call = fs[name] as (...args: unknown[]) => unknown;
  const slow = (...args: unknown[]): unknown => {
    waitAtRandom();
    return call(...args);
  };
  Object.assign(fs, { [name]: slow });
}
