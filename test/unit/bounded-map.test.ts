// The one bounded map: what is kept, and what has to go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedMap } from '../../lib/bounded-map.ts';

test('an entry is kept until it is deleted or replaced', () => {
  const map = new BoundedMap<string, number>({ maxEntries: 2 });
  map.set('a', 1);
  assert.equal(map.get('a'), 1);
  map.set('a', 2);
  assert.equal(map.get('a'), 2);
  map.delete('a');
  map.delete('a');
  assert.equal(map.get('a'), undefined);
});

test('one entry too many drops the least recently used', () => {
  const map = new BoundedMap<string, number>({ maxEntries: 3 });
  for (const key of ['a', 'b', 'c']) map.set(key, 1);
  map.get('a');
  map.set('b', 2);
  map.set('d', 1);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => map.get(key)),
    [1, 2, undefined, 1],
  );
});

test('the weight is bounded, whatever was replaced or deleted before', () => {
  const weigh = (value: string): number => value.length;
  const map = new BoundedMap<string, string>({ maxEntries: 100, maxWeight: 10, weigh });
  for (let round = 0; round < 20; round += 1) map.set('same', 'xxxx');
  map.set('gone', 'xxxxxx');
  map.delete('gone');
  map.set('a', 'xxx');
  map.set('b', 'xxx');
  assert.deepEqual([map.get('same'), map.get('a'), map.get('b')], ['xxxx', 'xxx', 'xxx']);
  map.set('c', 'x');
  assert.equal(map.get('same'), undefined, 'the least recently used');
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], ['xxx', 'xxx', 'x']);
});

test('an entry that alone weighs too much is not kept', () => {
  const weigh = (value: string): number => value.length;
  const map = new BoundedMap<string, string>({ maxEntries: 100, maxWeight: 10, weigh });
  map.set('a', 'x'.repeat(11));
  assert.equal(map.get('a'), undefined);
  map.set('b', 'x'.repeat(10));
  assert.equal(map.get('b'), 'x'.repeat(10));
});
