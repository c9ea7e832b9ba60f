// A lock on disk: what its record says, and who may remove it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { HeldLockFile, STALE_MS, TOUCH_MS } from '../../../lib/lock/held-lock.ts';
import { formatLockRecord, readLockRecord } from '../../../lib/lock/lock-record.ts';
import { makeTempFolder } from '../../support/paths.ts';

const folder = makeTempFolder('lock-file');
let made = 0;

interface Acquired {
  file: string;
  lock: HeldLockFile;
  /** What its release told: whether its file is certainly gone. */
  told: boolean[];
}

function acquire(disk: Partial<Disk> = {}): Acquired {
  made += 1;
  const file = join(folder, `${made}.lock`);
  const told: boolean[] = [];
  const fd = fs.openSync(file, 'wx');
  const lockId = `0123456789abcdef ${made}`;
  fs.writeSync(fd, formatLockRecord(lockId, file));
  const inode = { fd, ino: fs.fstatSync(fd).ino };
  const all = { ...realDisk, ...disk };
  const lock = new HeldLockFile(
    file,
    inode,
    lockId,
    performance.now(),
    (isRemoved) => told.push(isRemoved),
    all,
  );
  return { file, lock, told };
}

/** Lets the monotonic clock go forward. */
function skipTime(t: TestContext, ms: number): void {
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + ms);
}

suite('a lock', () => {
  test('tells no committed offset before anything is written', () => {
    const { file, lock } = acquire();
    assert.equal(readLockRecord(file)?.committedBytes, undefined);
    lock.release();
    assert.equal(readLockRecord(file), undefined);
  });

  test('tells the committed offset that was published last, and never a mix of two', () => {
    const seen: (number | undefined)[] = [];
    const { file, lock } = acquire({
      writeSync: (fd, bytes, offset, length, position) => {
        const count = realDisk.writeSync(fd, bytes, offset, length, position);
        seen.push(readLockRecord(file)?.committedBytes);
        return count;
      },
    });
    for (const committedBytes of [0, 5, 123_456, 99, Number.MAX_SAFE_INTEGER, 0, 7]) {
      lock.publish(committedBytes);
      assert.equal(readLockRecord(file)?.committedBytes, committedBytes);
    }
    const between = seen.slice(1).filter((_, index) => index % 2 === 0);
    assert.deepEqual(
      new Set(between),
      new Set([undefined]),
      'one is removed before the next is written',
    );
    lock.release();
  });

  test('whose record is another lock’s tells no committed offset', () => {
    const { file, lock } = acquire();
    lock.publish(5);
    assert.equal(readLockRecord(file)?.committedBytes, 5);
    const other = join(folder, 'other.lock');
    fs.linkSync(file, other);
    assert.equal(readLockRecord(other)?.committedBytes, undefined);
    assert.notEqual(readLockRecord(other)?.identity, undefined);
    fs.rmSync(other);
    lock.release();
  });

  test('has room for the longest name of a room', () => {
    const file = join(folder, `${'%d7%a9'.repeat(40)}.lock`);
    fs.writeFileSync(
      file,
      `${formatLockRecord('0123456789abcdef 123456789', file).replace(/-+/, '77')}xx`,
    );
    assert.equal(readLockRecord(file)?.committedBytes, 77);
    fs.rmSync(file);
  });

  test('that was written by half tells no committed offset', () => {
    const { file, lock } = acquire();
    for (const text of [
      ...['', '0123456789abcdef', '0123456789abcdef 1', '0123456789abcdef 1 '],
      ...['0123456789abcdef 1 12', 'x y 5\n', '\n', '1 2 -3\n', 'x 5 ---7\n', 'x 5 7\nano'],
      ...[`x 5 7\nx${made}.lock\n`],
    ]) {
      fs.writeFileSync(file, text);
      assert.equal(readLockRecord(file)?.committedBytes, undefined, JSON.stringify(text));
    }
    lock.release();
  });

  test('has an identity that changes with all that its owner does, and only then', async () => {
    const { file, lock } = acquire();
    const seen = [readLockRecord(file)!.identity];
    assert.equal(readLockRecord(file)!.identity, seen[0]);
    lock.publish(5);
    seen.push(readLockRecord(file)!.identity);
    fs.utimesSync(file, 1, 1);
    seen.push(readLockRecord(file)!.identity);
    lock.release();
    const again = fs.openSync(file, 'wx');
    seen.push(readLockRecord(file)!.identity);
    assert.equal(new Set(seen).size, 4, seen.join('\n'));
    fs.closeSync(again);
  });
});

suite('an owner', () => {
  test('that stood still for long finds its lock lost, and leaves the next owner’s alone', (t) => {
    const { file, lock, told } = acquire();
    fs.rmSync(file);
    fs.writeFileSync(file, 'somebody else');
    skipTime(t, STALE_MS);
    assert.ok(!lock.isHeld());
    lock.release();
    assert.deepEqual(told, [true]);
    assert.equal(fs.readFileSync(file, 'utf8'), 'somebody else');
  });

  test('that stood still for long keeps its lock if nobody broke it', (t) => {
    const { file, lock } = acquire();
    skipTime(t, 10 * STALE_MS);
    assert.ok(lock.isHeld());
    lock.release();
    assert.ok(!fs.existsSync(file));
  });

  test('checks its lock well before others may break it', (t) => {
    const { file, lock } = acquire();
    fs.rmSync(file);
    skipTime(t, STALE_MS * 0.75);
    assert.ok(!lock.isHeld());
    lock.release();
  });

  test('that can’t check its lock does not take it for lost', (t) => {
    let isFailing = true;
    const { file, lock } = acquire({
      statSync: ((path: string, options: { throwIfNoEntry: false }) => {
        if (isFailing) throw Object.assign(new Error('EIO'), { code: 'EIO' });
        return realDisk.statSync(path, options);
      }) as Disk['statSync'],
    });
    skipTime(t, STALE_MS);
    assert.throws(() => lock.isHeld(), { code: 'EIO' });
    isFailing = false;
    assert.ok(lock.isHeld());
    lock.release();
    assert.ok(!fs.existsSync(file));
  });

  test('that can’t remove its lock leaves it empty, which hides nothing from readers', () => {
    const { file, lock, told } = acquire({
      unlinkSync: () => {
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      },
    });
    lock.publish(5);
    lock.release();
    assert.equal(readLockRecord(file)?.committedBytes, undefined);
    assert.equal(fs.statSync(file).size, 0);
    assert.deepEqual(told, [false], 'its inode must not come to be behind another lock');
  });

  test('whose lock somebody removed just before has released it', () => {
    const { lock, told } = acquire({
      unlinkSync: (path) => {
        realDisk.unlinkSync(path);
        realDisk.unlinkSync(path);
      },
    });
    lock.release();
    assert.deepEqual(told, [true]);
  });

  test('touches its lock once it has held it for long, and not before', (t) => {
    const { file, lock } = acquire();
    const before = readLockRecord(file)!.identity;
    lock.touch();
    assert.equal(readLockRecord(file)!.identity, before);
    skipTime(t, TOUCH_MS);
    lock.touch();
    assert.notEqual(readLockRecord(file)!.identity, before);
    assert.ok(TOUCH_MS * 3 < STALE_MS, 'several touches fit in before a lock is stale');
    lock.release();
    lock.touch();
  });

  test('is told if the committed offset could only be written by half', () => {
    const { lock } = acquire({ writeSync: () => 3 });
    assert.throws(() => lock.publish(5), { code: 'ENOSPC' });
  });
});
