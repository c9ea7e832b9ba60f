// When a lock counts as stale.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { STALE_MS } from '../../../lib/lock/held-lock.ts';
import { StaleLockDetector } from '../../../lib/lock/stale-lock.ts';
import { makeTempFolder } from '../../support/paths.ts';

test('a lock that takes long to be read is not stale for that', (t) => {
  const file = join(makeTempFolder('lock'), 'r.lock');
  fs.writeFileSync(file, 'x');
  const now = performance.now.bind(performance);
  let skippedMs = 0;
  t.mock.method(performance, 'now', () => now() + skippedMs);
  const readSync: Disk['readSync'] = (...given) => {
    skippedMs += STALE_MS;
    return realDisk.readSync(...given);
  };
  const detector = new StaleLockDetector({ ...realDisk, readSync });
  assert.equal(detector.isStale(file), false);
  assert.equal(detector.isStale(file), false, 'it was seen a moment ago for the first time');
  assert.equal(detector.isStale(file), true);
});
