// npm run test:repeats -- --messages N [--seed S] [--late MS] [--slow PER_MILLION] [--store ADDRESS]
import { parseArgs } from 'node:util';
import { makeTempFolder } from '../../support/paths.ts';
import { runRepeating } from './repeating.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    late: { type: 'string', default: '10000' },
    slow: { type: 'string', default: '0' },
    store: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
console.log(`seed ${seed}`);
const begunMs = performance.now();
const { faults, counts } = await runRepeating({
  store: values.store ?? makeTempFolder('rooms'),
  seed,
  messageCount: Number(values.messages),
  lateMs: Number(values.late),
  slowCallsPerMillion: Number(values.slow),
  onProgress: (text) => console.log(text),
});
const figures = Object.entries(counts).map(([name, value]) => `${value} ${name}`);
console.log(
  `${((performance.now() - begunMs) / 60_000).toFixed(1)} minutes: ${figures.join(', ')}`,
);
for (const fault of faults.slice(0, 20)) console.log(`FAULT ${fault}`);
console.log(faults.length === 0 ? 'each exactly once' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
