// A short campaign for every run of the tests; `npm run test:campaign` has longer ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCampaign } from './campaign.ts';
import { findFaketime } from './fleet.ts';
import { runSoak } from './soak.ts';

test('replicas that are killed, stopped, drained and started again lose nothing', async () => {
  const { faults, counts } = await runCampaign({ seed: 1, durationMs: 12_000, roundMs: 6000 });
  assert.deepEqual(faults, []);
  assert.ok(counts.kills! > 0, 'replicas were killed');
  assert.ok(counts.acknowledged! > 100, `only ${counts.acknowledged} messages`);
});

const faketime = findFaketime() ? false : 'needs libfaketime: apt-get install -y libfaketime';

test('clocks that differ and jump lose nothing', { skip: faketime }, async () => {
  const { faults, counts } = await runCampaign({ seed: 3, durationMs: 6000, roundMs: 5000 });
  assert.deepEqual(faults, []);
  assert.equal(counts['clocks that are off'], 1);
});

test('memory and handles are what they were after many came and went', async () => {
  const { faults, messageCount } = await runSoak(8000);
  assert.deepEqual(faults, []);
  assert.ok(messageCount > 100, `only ${messageCount} messages`);
});
