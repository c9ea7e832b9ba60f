// npm run test:fuzz -- --minutes N [--seed S]: half of the time the parsers, half a whole server.
import { parseArgs } from 'node:util';
import { type FuzzResult, fuzzParsers, fuzzServer } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    inputs: { type: 'string' },
  },
});

const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const halfMs = Number(values.minutes) * 30_000;
const inputs = values.inputs === undefined ? undefined : Number(values.inputs);
console.log(`seed ${seed}`);
const parsers = fuzzParsers(seed, inputs === undefined ? { durationMs: halfMs } : { inputs });
tell(parsers);
const server = await fuzzServer(seed, halfMs, 40);
tell(server);
const count = parsers.faults.length + server.faults.length;
console.log(count === 0 ? 'nothing found' : `${count} faults`);
process.exit(count === 0 ? 0 : 1);

function tell({ summary, faults }: FuzzResult): void {
  console.log(summary);
  for (const fault of faults.slice(0, 20)) console.log(`FAULT ${fault}`);
}
