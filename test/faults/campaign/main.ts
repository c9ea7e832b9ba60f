// npm run test:campaign -- --minutes N [--seed S] [--slow PER_MILLION], or --soak MINUTES
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { runSoak } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    replicas: { type: 'string', default: '3' },
    writers: { type: 'string', default: '24' },
    soak: { type: 'string' },
    slow: { type: 'string', default: '20' },
  },
});

if (values.soak !== undefined) {
  const { faults, messageCount, samples } = await runSoak(
    Number(values.soak) * 60_000,
    ({ memoryBytes, handleCount }) =>
      console.log(`${Math.round(memoryBytes / 2 ** 20)} MiB, ${handleCount} handles`),
  );
  console.log(`${samples.length} samples, ${messageCount} messages`);
  for (const fault of faults.slice(0, 20)) console.log(`FAULT ${fault}`);
  process.exit(faults.length === 0 ? 0 : 1);
}

const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
console.log(`seed ${seed} (it decides the disturbances; how replicas react is chance)`);
const begunMs = performance.now();
const { faults, counts } = await runCampaign({
  seed,
  durationMs: Number(values.minutes) * 60_000,
  replicas: Number(values.replicas),
  writers: Number(values.writers),
  slowCallsPerMillion: Number(values.slow),
  onRound: (text) => console.log(text),
});
const minutes = ((performance.now() - begunMs) / 60_000).toFixed(1);
const figures = Object.entries(counts).map(([name, value]) => `${value} ${name}`);
console.log(`${minutes} minutes: ${figures.join(', ')}`);
for (const fault of faults.slice(0, 20)) console.log(`FAULT ${fault}`);
console.log(faults.length === 0 ? 'nothing lost' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
