// npm run bench: measures the service beside its peers and writes RESULTS.md.
//
//   --quick       a smoke test: every row runs for a moment, its correctness is checked, no figure
//                 is judged and nothing is written
//   --only=TEXT   only the rows whose name has the text in it; the others stay as they are
import fs from 'node:fs';
import { bringPeers } from './lib/peers.mjs';
import { serverScript } from './lib/processes.mjs';
import { keepResults, showRow, writeReport } from './lib/report.mjs';
import * as footprint from './rows/footprint.mjs';
import * as growth from './rows/growth.mjs';
import * as large from './rows/large.mjs';
import * as live from './rows/live.mjs';
import * as post from './rows/post.mjs';
import * as read from './rows/read.mjs';

/** How much is measured. */
const FULL = {
  seconds: 1.2,
  rounds: 7,
  samples: 200,
  largeBytes: 1 << 30,
  readers: 1000,
  messages: 12,
  burst: 200,
  idleReaders: 2000,
  idleMs: 60_000,
  manyRooms: 100_000,
  roomCounts: [1, 10, 100, 1000, 10_000, 100_000],
  readerCounts: [1, 10, 100, 1000, 3000, 9000],
  processCounts: [1, 2, 3, 4, 6, 8],
  rates: [250, 500, 1000, 2000, 4000, 8000, 12_000, 16_000, 24_000, 32_000],
};

const QUICK = {
  seconds: 0.6,
  rounds: 1,
  samples: 20,
  largeBytes: 16 << 20,
  readers: 50,
  messages: 2,
  burst: 50,
  idleReaders: 100,
  idleMs: 100,
  manyRooms: 200,
  roomCounts: [1, 50],
  readerCounts: [1, 50],
  processCounts: [1, 2],
  rates: [100, 200],
};

/** The rows, in the order of the table. */
const ROWS = [
  read.readWhole,
  read.readUnchanged,
  post.postOneRoom,
  post.postManyRooms,
  post.postThousandRooms,
  post.postJournaledDisk,
  post.postSlowDisk,
  post.postShared,
  large.useLarge,
  large.readLarge,
  live.tellOne,
  live.tellMany,
  live.keepIdle,
  footprint.startUp,
  footprint.restIdle,
  footprint.lockAlone,
  read.readFlask,
  post.postFlask,
];

const PLOTS = [growth.growRooms, growth.growReaders, growth.growProcesses, growth.growRate];

async function main() {
  const isQuick = process.argv.includes('--quick');
  const only = process.argv.find((word) => word.startsWith('--only='))?.slice(7);
  const effort = isQuick ? QUICK : FULL;
  const missing = bringPeers();
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
  if (!fs.existsSync(serverScript)) throw new Error('build first: npm run build');
  const measures = [...ROWS, ...PLOTS].filter(
    ({ name }) => only === undefined || name.includes(only),
  );
  for (const measure of measures) {
    const begunMs = performance.now();
    const results = [await measure(effort)].flat();
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    process.stdout.write(`${measure.name}: ${seconds} s\n`);
    if (isQuick) continue;
    for (const row of results) if ('what' in row) process.stdout.write(`${showRow(row)}\n`);
    keepResults(measure.name, results, effort);
    writeReport([...ROWS, ...PLOTS].map(({ name }) => name));
  }
  process.stdout.write(`${measures.length} measured, all correct\n`);
}

await main();
process.exit(0);
