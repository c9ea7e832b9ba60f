// The requests of one tick are served together and share one snapshot of each room.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestBatch, type SharedSnapshots } from '../../../lib/http/request-batch.ts';
import type { Snapshot, Store } from '../../../lib/store/store.ts';

/** A batch over a store that counts what it is asked for; its rooms change every time. */
function makeBatch() {
  const asked: string[] = [];
  const errors: unknown[] = [];
  const store = {
    etag: async (room: string) => `"${asked.push(`etag ${room}`)}"`,
    snapshot: async (room: string) => ({ etag: `"${asked.push(`snapshot ${room}`)}"` }) as Snapshot,
  };
  const batch = new RequestBatch(store as unknown as Store, (error) => errors.push(error));
  /** Serves a request and gives what it made of the snapshots. */
  const serve = <T>(use: (snapshots: SharedSnapshots) => T | Promise<T>): Promise<T> =>
    new Promise((resolve) => batch.add(async (snapshots) => resolve(await use(snapshots))));
  return { batch, serve, asked, errors };
}

test('the reads of one tick share one snapshot and one tag of each room', async () => {
  const { serve, asked } = makeBatch();
  const reads = [1, 2, 3].map(() =>
    serve(async (snapshots) => [
      await snapshots.snapshot('a'),
      await snapshots.etag('a'),
      await snapshots.snapshot('b'),
    ]),
  );
  const [first, ...others] = await Promise.all(reads);
  for (const other of others) assert.deepEqual(other, first);
  assert.notEqual(first![0], first![2]);
  assert.deepEqual(asked.sort(), ['etag a', 'snapshot a', 'snapshot b']);
});

test('a snapshot is taken after the last read of the tick arrived, never before', async () => {
  const { serve, asked } = makeBatch();
  const read = serve((snapshots) => snapshots.etag('a'));
  assert.deepEqual(asked, []);
  assert.equal(await read, '"1"');
});

test('the next tick takes new snapshots, also for a read that a read adds', async () => {
  const { serve, asked } = makeBatch();
  for (let round = 1; round <= 3; round += 1) {
    await serve((snapshots) => snapshots.snapshot('a'));
    assert.equal(asked.length, round);
  }
  const inner = await serve(async (snapshots) => {
    await snapshots.snapshot('a');
    return { read: serve((next) => next.snapshot('a')) };
  });
  assert.deepEqual(await inner.read, { etag: '"5"' });
});

test('a request that throws, early or late, is reported and leaves the others alone', async () => {
  const { batch, serve, errors } = makeBatch();
  const [early, late] = [new Error('early'), new Error('late')];
  batch.add(async () => {
    throw early;
  });
  batch.add(async (snapshots) => {
    await snapshots.etag('a');
    throw late;
  });
  assert.equal(await serve((snapshots) => snapshots.etag('a')), '"1"');
  await serve(() => undefined);
  assert.deepEqual(errors, [early, late]);
});
