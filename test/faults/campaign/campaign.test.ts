// A short campaign for every run of the tests; `npm run test:campaign` has longer ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCampaign } from './campaign.ts';
import { breakService, defects } from './defects.ts';
import { findFaketime } from './fleet.ts';
import { runSoak } from './soak.ts';

test('replicas that are killed, stopped, drained and restarted lose nothing', async () => {
  const { faults, counts } = await runCampaign({ seed: 1, durationMs: 12_000, roundMs: 6000 });
  assert.deepEqual(faults, []);
  assert.ok(counts.kills! > 0, 'replicas were killed');
  assert.ok(counts.acknowledged! > 100, `only ${counts.acknowledged} messages`);
});

const faketime = findFaketime() ? false : 'needs libfaketime: apt-get install -y libfaketime';

test('replicas with wrong clocks that jump lose nothing', { skip: faketime }, async () => {
  const { faults, counts } = await runCampaign({ seed: 3, durationMs: 6000, roundMs: 5000 });
  assert.deepEqual(faults, []);
  assert.equal(counts['wrong clocks'], 1);
});

test('a server has no more memory and handles after many clients came and went', async () => {
  const { faults, messageCount } = await runSoak(8000);
  assert.deepEqual(faults, []);
  assert.ok(messageCount > 100, `only ${messageCount} messages`);
});

test('the defects that npm run test:defects puts in still fit the code', () => {
  for (const defect of Object.values(defects)) breakService(defect);
});
