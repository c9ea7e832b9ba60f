// Safe repeats hold against everything at once; `npm run test:repeats` sends more.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type Database, startDatabase } from '../../mysql/database.ts';
import { engines } from '../../support/databases.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type RepeatingOptions, runRepeating } from './repeating.ts';

async function assertEachOnce(t: { diagnostic(text: string): void }, options: RepeatingOptions) {
  const { faults, counts } = await runRepeating(options);
  t.diagnostic(JSON.stringify(counts));
  assert.deepEqual(faults, []);
  assert.ok(counts.messages! >= options.messageCount);
  assert.ok(counts.repeats! > options.messageCount / 10, `only ${counts.repeats} repeats`);
  assert.ok(counts.kills! + counts.stops! > 0, 'replicas were disturbed');
}

test('5,000 messages that are repeated until they are answered: each once, in order', (t) =>
  assertEachOnce(t, { store: makeTempFolder('rooms'), seed: 1, messageCount: 5000 }));

for (const engine of engines) {
  suite(`repeats on ${engine}`, { skip: need(engine) }, () => {
    let database: Database;
    before(async () => {
      database = await startDatabase(engine);
    });
    after(() => database?.remove());

    test('1,000 messages that are repeated until they are answered: each once, in order', async (t) =>
      assertEachOnce(t, { store: await database.makeStore(), seed: 2, messageCount: 1000 }));
  });
}
