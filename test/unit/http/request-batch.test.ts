// Reads of one turn share one look at each room, made after the last of them arrived.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turn } from '../../../lib/http/request-batch.ts';
import type { Snapshot, Store } from '../../../lib/store/store.ts';

/** A store that counts looks; its rooms change with every look. */
function makeStore(): { store: Store; looks: string[] } {
  const looks: string[] = [];
  const store = {
    etag: (room: string) => `"${looks.push(`etag ${room}`)}"`,
    snapshot: (room: string) => ({ etag: `"${looks.push(`view ${room}`)}"` }) as Snapshot,
  };
  return { store: store as unknown as Store, looks };
}

test('the reads of one turn share one look at each room', async () => {
  const { store, looks } = makeStore();
  const turn = new Turn(store);
  const seen: unknown[] = [];
  for (let n = 0; n < 3; n += 1) {
    turn.add(
      (shared) => void seen.push(shared.snapshot('a'), shared.etag('a'), shared.snapshot('b')),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(looks, ['view a', 'etag a', 'view b']);
  assert.equal(seen.length, 9);
  assert.equal(seen[0], seen[3]);
  assert.notEqual(seen[0], seen[2]);
});

test('the look is made after the read arrived, never before', async () => {
  const { store, looks } = makeStore();
  const turn = new Turn(store);
  const done = new Promise<void>((resolve) => turn.add((shared) => resolve(void shared.etag('a'))));
  assert.deepEqual(looks, []);
  await done;
  assert.deepEqual(looks, ['etag a']);
});

test('the next turn looks anew', async () => {
  const { store, looks } = makeStore();
  const turn = new Turn(store);
  for (let round = 1; round <= 3; round += 1) {
    await new Promise<void>((resolve) => turn.add((shared) => resolve(void shared.snapshot('a'))));
    assert.equal(looks.length, round);
  }
});

test('a read that is added by a read goes into the next turn', async () => {
  const { store, looks } = makeStore();
  const turn = new Turn(store);
  await new Promise<void>((resolve) => {
    turn.add((shared) => {
      shared.snapshot('a');
      turn.add((next) => resolve(void next.snapshot('a')));
    });
  });
  assert.deepEqual(looks, ['view a', 'view a']);
});
