// An outage is two lines in the log, however many requests it costs.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Log } from '../../../lib/ops/log.ts';
import { Outage } from '../../../lib/store/outage.ts';

function makeOutage(t: TestContext) {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const lines: string[] = [];
  const outage = new Outage(new Log('info', (line) => lines.push(line)), 'the database');
  const pass = (durationMs: number): void => {
    nowMs += durationMs;
  };
  const takeLines = (): string[] =>
    lines.splice(0).map((line) => /^\S+ (\w+ [\w ]+\w)/.exec(line)![1]!);
  return { outage, pass, takeLines };
}

test('success alone is not worth a line', (t) => {
  const { outage, takeLines } = makeOutage(t);
  outage.noteSuccess();
  assert.deepEqual(takeLines(), []);
});

test('an outage is told when it begins and when it ends, and so is the next one', (t) => {
  const { outage, pass, takeLines } = makeOutage(t);
  for (let round = 0; round < 2; round += 1) {
    for (let failure = 0; failure < 5; failure += 1) outage.noteFailure(new Error('ENOSPC'));
    assert.deepEqual(takeLines(), ['error the database failed error']);
    pass(1000);
    outage.noteSuccess();
    outage.noteSuccess();
    assert.deepEqual(takeLines(), ['info the database works again']);
  }
});

test('a success between failures does not end it', (t) => {
  const { outage, pass, takeLines } = makeOutage(t);
  for (let round = 0; round < 50; round += 1) {
    outage.noteFailure(new Error('ENOSPC'));
    pass(100);
    outage.noteSuccess();
  }
  assert.deepEqual(takeLines(), ['error the database failed error']);
});
