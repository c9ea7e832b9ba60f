// Hostile input for every run of the tests; `npm run test:fuzz` goes on for as long as it is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzParsers, fuzzServer } from './fuzz.ts';
import { properties } from './parsers.ts';

test('the parsers take a hundred thousand hostile inputs', () => {
  const { faults } = fuzzParsers(1, { inputs: 100_000 });
  assert.deepEqual(faults, []);
});

test('a property that does not hold is seen', () => {
  const name = 'a property of no parser';
  properties[name] = (random) => assert.ok(random.below(1000) !== 7);
  try {
    assert.match(fuzzParsers(1, { inputs: 100_000 }).faults.join('\n'), /a property of no parser/);
  } finally {
    delete properties[name];
  }
});

test('a server takes hostile bytes from many connections and holds nothing afterwards', async () => {
  const { faults, summary } = await fuzzServer(1, 6000, 20);
  assert.deepEqual(faults, []);
  assert.match(summary, /201: [1-9]/, 'some of it was stored');
});
