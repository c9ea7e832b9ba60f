// Histories with power losses: some for every run of the tests; `npm run test:crash` has more.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { runHistory } from './history.ts';
import { takeOverTime } from './world.ts';

before(takeOverTime);

test('a power loss, a dead or frozen process and a failing call lose nothing', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { faults } = await runHistory({ seed });
    assert.deepEqual(faults, [], `npm run test:crash -- --seed ${seed}`);
  }
});

test('a seed gives the same history again', async () => {
  const tell = async (): Promise<string[]> => {
    const told: string[] = [];
    // What a process calls itself is random: it must differ from all others, whatever the seed.
    const onTrace = (text: string) => told.push(text.replace(/[0-9a-f]{16}/, 'owner'));
    await runHistory({ seed: 7, onTrace });
    return told;
  };
  const first = await tell();
  assert.ok(first.length > 50, `only ${first.length} events`);
  assert.deepEqual(await tell(), first);
});
