// Locks that were there when a process started.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LockFolder } from '../../../../lib/lock/lock.ts';
import { InheritedLocks } from '../../../../lib/store/folder/inherited.ts';
import { makeTempFolder } from '../../../support/paths.ts';

function makeLocks(names: string[]): { folder: string; locks: LockFolder } {
  const folder = makeTempFolder('inherited');
  for (const name of names)
    fs.writeFileSync(join(folder, `${name}.lock`), '0123456789abcdef 1 5\n');
  const locks = new LockFolder(folder, {
    onAcquire: () => undefined,
    onBreak: async () => undefined,
  });
  locks.close();
  return { folder, locks };
}

test('a lock is inherited while it looks as it did at the start, and no other is', () => {
  const { folder, locks } = makeLocks(['a', 'b', 'c']);
  const inherited = new InheritedLocks(locks);
  assert.ok(inherited.has('a') && inherited.has('b') && inherited.has('c'));
  assert.ok(!inherited.has('d'));
  fs.writeFileSync(join(folder, 'd.lock'), 'new');
  assert.ok(!inherited.has('d'), 'it came later');
  fs.rmSync(join(folder, 'a.lock'));
  assert.ok(!inherited.has('a'));
  fs.utimesSync(join(folder, 'b.lock'), 1, 1);
  assert.ok(!inherited.has('b'), 'its owner lives');
  assert.ok(inherited.has('c'));
});

test('a lock that was once known to be another stays so', () => {
  const { folder, locks } = makeLocks(['a']);
  const inherited = new InheritedLocks(locks);
  const kept = join(folder, 'kept');
  fs.renameSync(join(folder, 'a.lock'), kept);
  assert.ok(!inherited.has('a'));
  fs.renameSync(kept, join(folder, 'a.lock'));
  assert.ok(!inherited.has('a'));
});
