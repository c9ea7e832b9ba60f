// npm run test:crash -- --seeds N [--from SEED] [--seed SEED]: many histories, or one of them told.
import { parseArgs } from 'node:util';
import { runHistory } from './history.ts';
import { takeOverTime } from './world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '80' },
  },
});

takeOverTime();
const steps = Number(values.steps);
const isOne = values.seed !== undefined;
const first = Number(values.seed ?? values.from ?? Date.now() % 1_000_000_000);
const count = isOne ? 1 : Number(values.seeds);
const begunMs = performance.now();
const totals: Record<string, number> = {};
const failed: number[] = [];
for (let seed = first; seed < first + count; seed += 1) {
  const onTrace = (text: string): void => console.log(text);
  const { faults, counts } = await runHistory({ seed, steps, ...(isOne ? { onTrace } : {}) });
  for (const [name, value] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + value;
  if (faults.length === 0) continue;
  failed.push(seed);
  console.log(`seed ${seed} fails:\n  ${faults.slice(0, 5).join('\n  ')}`);
  console.log(`  again: npm run test:crash -- --seed ${seed} --steps ${steps}`);
}
const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
const figures = Object.entries(totals).map(([name, value]) => `${value} ${name}`);
console.log(`seeds ${first} to ${first + count - 1} in ${seconds} s: ${figures.join(', ')}`);
console.log(failed.length === 0 ? 'nothing lost' : `${failed.length} seeds fail`);
process.exit(failed.length === 0 ? 0 : 1);
