// Readiness: what counts as a write, for how long, and who asks the disk.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HOLD_MS, Readiness } from '../../../lib/store/readiness.ts';

function makeReadiness(t: TestContext) {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const probes: { succeed(): void; fail(error: Error): void }[] = [];
  const readiness = new Readiness(
    () =>
      new Promise((resolve, reject) => {
        probes.push({ succeed: resolve, fail: reject });
      }),
  );
  const pass = (durationMs: number): void => {
    nowMs += durationMs;
  };
  return { readiness, probes, pass };
}

test('nothing is written until somebody asks', (t) => {
  const { probes, pass } = makeReadiness(t);
  pass(10 * HOLD_MS);
  assert.equal(probes.length, 0);
});

test('a message that was stored counts for a while, then a probe is made', async (t) => {
  const { readiness, probes, pass } = makeReadiness(t);
  readiness.noteWrite();
  pass(HOLD_MS - 1);
  await readiness.check();
  assert.equal(probes.length, 0);
  pass(1);
  const check = readiness.check();
  assert.equal(probes.length, 1);
  probes[0]!.succeed();
  await check;
});

test('one probe serves all who ask while it runs, and those after it for a while', async (t) => {
  const { readiness, probes, pass } = makeReadiness(t);
  const checks = [readiness.check(), readiness.check(), readiness.check()];
  assert.equal(probes.length, 1);
  probes[0]!.succeed();
  await Promise.all(checks);
  pass(HOLD_MS - 1);
  await readiness.check();
  assert.equal(probes.length, 1);
});

test('a failed probe is told to all who wait for it, and the next one to ask has a new one', async (t) => {
  const { readiness, probes } = makeReadiness(t);
  const failure = new Error('ENOSPC');
  const checks = [readiness.check(), readiness.check()];
  probes[0]!.fail(failure);
  for (const check of checks) await assert.rejects(check, failure);
  const again = readiness.check();
  assert.equal(probes.length, 2);
  probes[1]!.succeed();
  await again;
});

test('a write that failed ends what the one before it proved', async (t) => {
  const { readiness, probes } = makeReadiness(t);
  readiness.noteWrite();
  readiness.noteFailure();
  const check = readiness.check();
  assert.equal(probes.length, 1);
  probes[0]!.fail(new Error('ENOSPC'));
  await assert.rejects(check);
});
