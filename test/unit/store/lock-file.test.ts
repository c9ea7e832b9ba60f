// A lock file on disk: what it says, and who may remove it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/store/disk.ts';
import {
  createExclusive,
  LockFile,
  readHolder,
  STALE_MS,
  TOUCH_MS,
} from '../../../lib/store/lock-file.ts';
import { makeTempFolder } from '../../support/paths.ts';

const folder = makeTempFolder('lock-file');
let made = 0;

function take(disk: Partial<Disk> = {}): { file: string; lock: LockFile; wasTold: () => boolean } {
  made += 1;
  const file = join(folder, `${made}.lock`);
  let isTold = false;
  const onRelease = () => {
    isTold = true;
  };
  const lock = new LockFile(file, createExclusive(file)!, `0123456789abcdef ${made}`, onRelease, {
    ...realDisk,
    ...disk,
  });
  return { file, lock, wasTold: () => isTold };
}

/** Lets the monotonic clock go forward. */
function skipTime(t: TestContext, ms: number): void {
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + ms);
}

suite('a lock file', () => {
  test('is made once: the second finds it there', () => {
    const { file } = take();
    assert.equal(createExclusive(file), undefined);
    assert.throws(() => createExclusive(join(folder, 'gone', 'a.lock')), { code: 'ENOENT' });
  });

  test('says nothing of the room before anything is written', () => {
    const { file, lock } = take();
    assert.equal(readHolder(file)?.baseBytes, undefined);
    lock.release();
    assert.equal(readHolder(file), undefined);
  });

  test('tells the committed size, the last one published', () => {
    const { file, lock } = take();
    for (const base of [0, 5, 123_456, 99, Number.MAX_SAFE_INTEGER, 0, 7]) {
      lock.publish(base);
      assert.equal(readHolder(file)?.baseBytes, base);
    }
    lock.release();
  });

  test('that was written by half tells nothing that is not so', () => {
    const { file, lock } = take();
    for (const text of [
      '',
      '0123456789abcdef',
      '0123456789abcdef 1',
      '0123456789abcdef 1 ',
      '0123456789abcdef 1 12',
      'x y 5\n',
      '\n',
      '1 2 -3\n',
    ]) {
      fs.writeFileSync(file, text);
      assert.equal(readHolder(file)?.baseBytes, undefined, JSON.stringify(text));
    }
    lock.release();
  });

  test('has an identity that changes with all that its owner does, and stays where nobody does', async () => {
    const { file, lock } = take();
    const seen = [readHolder(file)!.identity];
    assert.equal(readHolder(file)!.identity, seen[0]);
    lock.publish(5);
    seen.push(readHolder(file)!.identity);
    fs.utimesSync(file, 1, 1);
    seen.push(readHolder(file)!.identity);
    lock.release();
    const again = createExclusive(file)!;
    seen.push(readHolder(file)!.identity);
    assert.equal(new Set(seen).size, 4, seen.join('\n'));
    fs.closeSync(again);
  });
});

suite('an owner', () => {
  test('removes its own lock, and says so', () => {
    const { file, lock, wasTold } = take();
    assert.ok(lock.isMine());
    lock.release();
    assert.ok(wasTold());
    assert.ok(!fs.existsSync(file));
  });

  test('that was long away finds its lock gone, and leaves the next owner’s alone', (t) => {
    const { file, lock, wasTold } = take();
    fs.rmSync(file);
    fs.writeFileSync(file, 'somebody else');
    skipTime(t, STALE_MS);
    assert.ok(!lock.isMine());
    lock.release();
    assert.ok(wasTold());
    assert.equal(fs.readFileSync(file, 'utf8'), 'somebody else');
  });

  test('that was long away and finds no lock at all does no harm', (t) => {
    const { file, lock } = take();
    fs.rmSync(file);
    skipTime(t, STALE_MS);
    assert.ok(!lock.isMine());
    lock.release();
    assert.ok(!fs.existsSync(file));
  });

  test('that was long away and not replaced still owns it', (t) => {
    const { file, lock } = take();
    skipTime(t, 10 * STALE_MS);
    assert.ok(lock.isMine());
    lock.release();
    assert.ok(!fs.existsSync(file));
  });

  test('looks again well before others may judge it dead', (t) => {
    const { file, lock } = take();
    fs.rmSync(file);
    skipTime(t, STALE_MS * 0.75);
    assert.ok(!lock.isMine());
    lock.release();
  });

  test('that can’t look at its lock does not take it for lost', (t) => {
    let isFailing = true;
    const { file, lock } = take({
      statSync: ((path: string, options: { throwIfNoEntry: false }) => {
        if (isFailing) throw Object.assign(new Error('EIO'), { code: 'EIO' });
        return realDisk.statSync(path, options);
      }) as Disk['statSync'],
    });
    skipTime(t, STALE_MS);
    assert.throws(() => lock.isMine(), { code: 'EIO' });
    isFailing = false;
    assert.ok(lock.isMine());
    lock.release();
    assert.ok(!fs.existsSync(file));
  });

  test('that can’t remove its lock leaves it empty, which hides nothing from readers', () => {
    const { file, lock } = take({
      unlinkSync: () => {
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      },
    });
    lock.publish(5);
    lock.release();
    assert.equal(readHolder(file)?.baseBytes, undefined);
    assert.equal(fs.statSync(file).size, 0);
  });

  test('touches its lock once it is held for long, and not before', (t) => {
    const { file, lock } = take();
    const before = readHolder(file)!.identity;
    lock.touch();
    assert.equal(readHolder(file)!.identity, before);
    skipTime(t, TOUCH_MS);
    lock.touch();
    assert.notEqual(readHolder(file)!.identity, before);
    assert.ok(TOUCH_MS * 3 < STALE_MS, 'several touches fit in before a lock is stale');
    lock.release();
    lock.touch();
  });

  test('is told where the lock file could only be written by half', () => {
    const { lock } = take({ writeSync: () => 3 });
    assert.throws(() => lock.publish(5), { code: 'ENOSPC' });
  });
});
