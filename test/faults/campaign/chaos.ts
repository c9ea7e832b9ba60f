// Loaded into a replica before the service: its file calls take their time, at random, and now and
// then longer than a lock's owner may stand still. So other replicas come between any two of them.
import fs from 'node:fs';

const names = [
  'openSync',
  'fstatSync',
  'statSync',
  'readSync',
  'writeSync',
  'unlinkSync',
  'ftruncateSync',
  'fdatasync',
] as const;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** How often a call is held up for longer than an owner may stand still; in a million. */
const longPerMillion = Number(process.env.CHAOS_LONG ?? 0);

function dawdle(): void {
  const chance = Math.random() * 1e6;
  if (chance < longPerMillion) Atomics.wait(cell, 0, 0, 2100 + Math.random() * 1500);
  else if (chance < 30_000) Atomics.wait(cell, 0, 0, Math.random() * 3);
}

for (const name of names) {
  const call = fs[name] as (...args: unknown[]) => unknown;
  const slow = (...args: unknown[]): unknown => {
    dawdle();
    return call(...args);
  };
  Object.assign(fs, { [name]: slow });
}
