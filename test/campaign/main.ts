// npm run test:campaign -- --minutes N [--seed S] [--long PER_MILLION]
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    replicas: { type: 'string', default: '3' },
    writers: { type: 'string', default: '24' },
    long: { type: 'string', default: '20' },
  },
});

const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
console.log(`seed ${seed} (of the disturbances; what replicas make of them is chance)`);
const begunMs = performance.now();
const { faults, counts } = await runCampaign({
  seed,
  durationMs: Number(values.minutes) * 60_000,
  replicas: Number(values.replicas),
  writers: Number(values.writers),
  longPerMillion: Number(values.long),
  onRound: (text) => console.log(text),
});
const minutes = ((performance.now() - begunMs) / 60_000).toFixed(1);
const figures = Object.entries(counts).map(([name, value]) => `${value} ${name}`);
console.log(`${minutes} minutes: ${figures.join(', ')}`);
for (const fault of faults.slice(0, 20)) console.log(`FAULT ${fault}`);
console.log(faults.length === 0 ? 'nothing lost' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
