// The hot rooms' views: what is given back, and what has to go.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  isSameState,
  MAX_CACHE_BYTES,
  MAX_CACHE_ROOMS,
  SnapshotCache,
  type State,
} from '../../../../lib/store/folder/snapshot-cache.ts';
import type { Snapshot } from '../../../../lib/store/store.ts';

const state: State = { ino: 1, size: 10, mtimeMs: 5.5, ctimeMs: 6.5 };

function toView(sizeBytes: number, completeBytes = sizeBytes, tailBytes = sizeBytes): Snapshot {
  return {
    etag: '"x"',
    sizeBytes,
    completeBytes,
    epoch: '0123abcd',
    isSettled: true,
    tail: Buffer.alloc(tailBytes),
    async *read() {},
  };
}

suite('a view', () => {
  test('is given for the very state that it was kept for, and no other', () => {
    const cache = new SnapshotCache();
    const view = toView(10);
    cache.set('r', state, view);
    assert.equal(cache.get('r', { ...state }), view);
    assert.equal(cache.get('other', state), undefined);
    for (const change of [{ ino: 2 }, { size: 11 }, { mtimeMs: 5.6 }, { ctimeMs: 6.6 }]) {
      assert.equal(cache.get('r', { ...state, ...change }), undefined, JSON.stringify(change));
      assert.equal(isSameState(state, { ...state, ...change }), false);
    }
    assert.equal(cache.get('r', state), view, 'a miss takes nothing away');
  });

  test('takes the place of an older one of its room', () => {
    const cache = new SnapshotCache();
    cache.set('r', state, toView(10));
    const newer = toView(20);
    cache.set('r', { ...state, size: 20 }, newer);
    assert.equal(cache.get('r', state), undefined);
    assert.equal(cache.get('r', { ...state, size: 20 }), newer);
  });

  test('serves as the base of a write that goes on, where it ends at just that size', () => {
    const cache = new SnapshotCache();
    const view = toView(10);
    cache.set('r', state, view);
    const written = { ino: 1, size: 15, mtimeMs: 7, ctimeMs: 8 };
    assert.equal(cache.getCommitted('r', written, 10), view);
    assert.equal(cache.getCommitted('r', written, 9), undefined);
    assert.equal(cache.getCommitted('r', { ...written, ino: 2 }, 10), undefined);
    assert.equal(cache.getCommitted('other', written, 10), undefined);
    cache.set('r', state, toView(10, 7));
    assert.equal(cache.getCommitted('r', written, 10), undefined, 'its last line has no LF');
  });
});

suite('the limits', () => {
  test('keep the rooms used last, when there is one too many', () => {
    const cache = new SnapshotCache();
    for (let index = 0; index < MAX_CACHE_ROOMS; index += 1)
      cache.set(`r${index}`, state, toView(1));
    assert.ok(cache.get('r0', state), 'used: now r1 is the least lately used');
    cache.set('new', state, toView(1));
    assert.ok(cache.get('r0', state));
    assert.equal(cache.get('r1', state), undefined);
    assert.ok(cache.get('r2', state));
    assert.ok(cache.get('new', state));
  });

  test('bound the text in bytes, whatever is set anew', () => {
    const cache = new SnapshotCache();
    const quarter = MAX_CACHE_BYTES / 4;
    for (let round = 0; round < 20; round += 1) cache.set('same', state, toView(quarter));
    for (const room of ['a', 'b', 'c']) cache.set(room, state, toView(quarter));
    assert.ok(cache.get('same', state), 'four quarters fit');
    assert.ok(cache.get('a', state));
    cache.set('d', state, toView(1));
    assert.equal(cache.get('b', state), undefined, 'a byte more, and the least lately used goes');
    for (const room of ['same', 'a', 'c', 'd']) assert.ok(cache.get(room, state), room);
  });

  test('count only what is kept of a large room', () => {
    const cache = new SnapshotCache();
    for (let index = 0; index < 100; index += 1)
      cache.set(`r${index}`, state, toView(MAX_CACHE_BYTES, MAX_CACHE_BYTES, 1024));
    for (let index = 0; index < 100; index += 1) assert.ok(cache.get(`r${index}`, state));
  });
});
