// Locks within one process: who gets one, and when a stale one is broken (contract §9).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, before, mock, suite, test } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { STALE_MS } from '../../../lib/lock/held-lock.ts';
import { type LockEvents, LockFolder } from '../../../lib/lock/lock.ts';
import { listLocks, makeTempFolder } from '../../support/paths.ts';
import { pause, waitUntil } from '../../support/server.ts';

interface Locks {
  folder: string;
  locks: LockFolder;
  waits: number[];
  broken: [name: string, committedBytes: number | undefined][];
}

function makeLocks(
  folder = makeTempFolder('lock'),
  events: Partial<LockEvents> = {},
  disk = realDisk,
): Locks {
  const waits: number[] = [];
  const broken: Locks['broken'] = [];
  const called: LockEvents = {
    onAcquire: (waitMs) => waits.push(waitMs),
    onBreak: async (name, committedBytes) => {
      broken.push([name, committedBytes]);
    },
    ...events,
  };
  return { folder, locks: new LockFolder(folder, called, disk), waits, broken };
}

/** Acquires a lock and releases it; gives the time that this took. */
async function passThrough(locks: LockFolder, name = 'r'): Promise<number> {
  const begunMs = performance.now();
  const held = await locks.acquire(name);
  const tookMs = performance.now() - begunMs;
  await held.release();
  return tookMs;
}

const failure = (code: string) => Object.assign(new Error(code), { code });

suite('a lock', () => {
  test('that nobody holds is acquired at once, again and again', async () => {
    const { folder, locks, waits } = makeLocks();
    for (let round = 0; round < 100; round += 1) {
      const held = await locks.acquire('r');
      assert.deepEqual(listLocks(folder), ['r.lock']);
      await held.release();
      assert.deepEqual(listLocks(folder), []);
    }
    assert.equal(waits.length, 100);
    locks.close();
  });

  test('does not keep anybody from one of another name', async () => {
    const { locks } = makeLocks();
    for (const held of [await locks.acquire('a'), await locks.acquire('b')]) await held.release();
    locks.close();
  });

  test('that could not be removed shares its inode with no other', async () => {
    let isStuck = true;
    const disk: Disk = {
      ...realDisk,
      statfsSync: () => ({ type: 0xef53 }),
      unlinkSync: (path) => {
        if (isStuck && path.endsWith('.lock')) throw failure('EIO');
        realDisk.unlinkSync(path);
      },
    };
    const { folder, locks } = makeLocks(makeTempFolder('lock'), {}, disk);
    const toInode = (name: string): number => fs.statSync(join(folder, `${name}.lock`)).ino;
    await passThrough(locks, 'a');
    assert.equal(fs.readFileSync(join(folder, 'a.lock'), 'utf8'), '', 'it is left empty');
    isStuck = false;
    const next = await locks.acquire('b');
    const inode = toInode('b');
    assert.notEqual(inode, toInode('a'));
    await next.release();
    await locks.acquire('c');
    assert.equal(toInode('c'), inode, 'the inode of a lock that is gone is used again');
    assert.equal(fs.readFileSync(join(folder, 'a.lock'), 'utf8'), '');
    locks.close();
  });

  test('can be read by others, with its committed offset', async () => {
    const folder = makeTempFolder('lock');
    const [one, other] = [makeLocks(folder), makeLocks(folder)];
    assert.equal(other.locks.read('r'), undefined);
    const held = await one.locks.acquire('r');
    const before = other.locks.read('r');
    assert.ok(before !== undefined);
    assert.equal(before.committedBytes, undefined);
    held.publish(123);
    assert.equal(other.locks.read('r')?.committedBytes, 123);
    assert.notEqual(other.locks.read('r')?.identity, before.identity);
    await held.release();
    assert.equal(other.locks.read('r'), undefined);
    for (const { locks } of [one, other]) locks.close();
  });

  test('can’t be acquired if its folder is gone: the system’s error says so', async () => {
    const { folder, locks } = makeLocks();
    fs.rmSync(folder, { recursive: true });
    await assert.rejects(locks.acquire('r'), { code: 'ENOENT' });
    assert.equal(locks.read('r'), undefined);
    locks.close();
  });

  test('is refused after 10 s of waiting for owners who live', async (t) => {
    const now = performance.now.bind(performance);
    let skippedMs = 0;
    t.mock.method(performance, 'now', () => now() + skippedMs);
    const folder = makeTempFolder('lock');
    fs.writeFileSync(join(folder, 'r.lock'), '');
    const fstatSync: Disk['fstatSync'] = (fd) => {
      skippedMs += STALE_MS;
      return Object.assign(realDisk.fstatSync(fd), { mtimeMs: skippedMs });
    };
    const { locks, broken } = makeLocks(folder, {}, { ...realDisk, fstatSync });
    await assert.rejects(locks.acquire('r'), { name: 'ServiceError', code: 'unavailable' });
    assert.ok(skippedMs >= 10_000 && skippedMs < 15_000, `${skippedMs} ms`);
    assert.deepEqual(broken, []);
    locks.close();
  });
});

/** Lets a breaker fail, and gives the name of the guard in which it broke the lock. */
async function seeGuard(folder: string): Promise<string> {
  let guard: string | undefined;
  const onBreak = async () => {
    guard = listLocks(folder).find((name) => name.endsWith('.break'));
    throw new Error('failed on purpose');
  };
  const { locks } = makeLocks(folder, { onBreak });
  await assert.rejects(locks.acquire('r'), /on purpose/);
  locks.close();
  assert.ok(guard !== undefined);
  return guard;
}

function makeStaleLock(text = 'stale'): string {
  const folder = makeTempFolder('lock');
  fs.writeFileSync(join(folder, 'r.lock'), text);
  return folder;
}

// In these two suites nobody who lives holds a lock for long, so time may run fast.
suite('on a clock that is ten times as fast', () => {
  before(() => {
    const now = performance.now.bind(performance);
    mock.method(performance, 'now', () => now() * 10);
  });
  after(() => mock.restoreAll());

  suite('a stale lock', { concurrency: true }, () => {
    const texts: Record<string, [text: string, committedBytes: number | undefined]> = {
      'that tells a committed offset': ['0123456789abcdef 1 77\n', 77],
      'that is empty: nothing was written': ['', undefined],
      'whose record was written by half': ['0123456789abc', undefined],
      'that a person made': ['mine!\n', undefined],
    };
    for (const [what, [text, committedBytes]] of Object.entries(texts)) {
      test(`(${what}) is broken, and not before it is stale`, async () => {
        const { folder, locks, waits, broken } = makeLocks(makeStaleLock(text));
        assert.ok((await passThrough(locks)) >= STALE_MS);
        assert.deepEqual(broken, [['r', committedBytes]]);
        assert.equal(waits.length, 1);
        assert.deepEqual(listLocks(folder), [], 'nothing is left behind');
        locks.close();
      });
    }

    test('is broken once by all who want it, and they acquire it one by one', async () => {
      const folder = makeStaleLock('0123456789abcdef 1 0\n');
      const all = Array.from({ length: 8 }, () => makeLocks(folder));
      let owners = 0;
      const enter = async ({ locks }: Locks) => {
        const held = await locks.acquire('r');
        owners += 1;
        await pause(2);
        assert.equal(owners, 1);
        owners -= 1;
        await held.release();
      };
      await Promise.all(all.map(enter));
      assert.equal(all.flatMap(({ broken }) => broken).length, 1);
      assert.deepEqual(listLocks(folder), []);
      for (const { locks } of all) locks.close();
    });

    for (const [when, seconds] of Object.entries({ past: 1, future: 4_000_000_000 })) {
      test(`with a time far in the ${when} is stale after as long: no clocks are compared`, async () => {
        const folder = makeStaleLock();
        fs.utimesSync(join(folder, 'r.lock'), seconds, seconds);
        const { locks } = makeLocks(folder);
        assert.ok((await passThrough(locks)) >= STALE_MS);
        locks.close();
      });
    }

    test('stays if what its owner left could not be made durable, and goes once it could', async () => {
      let breaks = 0;
      const onBreak = async () => {
        breaks += 1;
        if (breaks === 1) throw failure('EIO');
      };
      const { folder, locks } = makeLocks(makeStaleLock(), { onBreak });
      await assert.rejects(locks.acquire('r'), { code: 'EIO' });
      assert.deepEqual(listLocks(folder), ['r.lock']);
      await passThrough(locks);
      assert.equal(breaks, 2);
      locks.close();
    });

    test('is not broken if its owner comes back to life just then', async () => {
      const folder = makeStaleLock();
      const file = join(folder, 'r.lock');
      const seen: string[] = [];
      const onBreak = async () => {
        seen.push(fs.readFileSync(file, 'utf8'));
        fs.writeFileSync(file, 'alive');
      };
      const { locks } = makeLocks(folder, { onBreak });
      const acquired = locks.acquire('r');
      await waitUntil('a break', () => seen.length > 0);
      await nextTick();
      assert.equal(fs.readFileSync(file, 'utf8'), 'alive');
      fs.rmSync(file);
      await (await acquired).release();
      assert.deepEqual(seen, ['stale']);
      locks.close();
    });

    test('is broken though another breaker died at it: its guard becomes stale as well', async () => {
      const folder = makeStaleLock();
      fs.writeFileSync(join(folder, await seeGuard(folder)), '');
      const { locks, broken } = makeLocks(folder);
      const tookMs = await passThrough(locks);
      assert.ok(tookMs >= 2 * STALE_MS, `the guard stood in the way: ${tookMs} ms`);
      assert.deepEqual(broken, [['r', undefined]]);
      assert.deepEqual(listLocks(folder), []);
      locks.close();
    });

    test('is broken inside the same guard by all, at whatever path they have the folder', async () => {
      const folder = makeStaleLock();
      const other = `${folder}-elsewhere`;
      fs.symlinkSync(folder, other);
      const guards = await Promise.all([seeGuard(folder), seeGuard(other)]);
      assert.equal(guards[0], guards[1]);
      fs.rmSync(other);
    });

    test('is what the lock of an owner becomes that stopped touching it', async () => {
      const folder = makeTempFolder('lock');
      const [owner, waiter] = [makeLocks(folder), makeLocks(folder)];
      const held = await owner.locks.acquire('r');
      held.publish(5);
      owner.locks.close();
      const next = await waiter.locks.acquire('r');
      assert.deepEqual(waiter.broken, [['r', 5]]);
      assert.ok(!held.isHeld());
      await held.release();
      assert.ok(next.isHeld(), 'the release of the former owner takes nothing away');
      assert.ok(fs.existsSync(join(folder, 'r.lock')));
      await next.release();
      waiter.locks.close();
    });
  });

  suite('recovery', { concurrency: true }, () => {
    test('of a folder without locks is over in the same tick', async () => {
      const { locks } = makeLocks();
      const recovered = locks.recover().then(() => 'recovered');
      assert.equal(await Promise.race([recovered, nextTick('later')]), 'recovered');
      locks.close();
    });

    test('breaks all stale locks in parallel', async () => {
      const { folder, locks, broken } = makeLocks();
      const names = Array.from({ length: 20 }, (_, index) => `r${index}`);
      for (const name of names) fs.writeFileSync(join(folder, `${name}.lock`), 'x 1 7\n');
      const begunMs = performance.now();
      await locks.recover();
      const tookMs = performance.now() - begunMs;
      assert.ok(tookMs >= STALE_MS && tookMs < names.length * STALE_MS, `after ${tookMs} ms`);
      assert.deepEqual(broken.sort(), names.map((name) => [name, 7] as const).sort());
      assert.deepEqual(listLocks(folder), []);
      locks.close();
    });

    test('breaks each lock once if several processes start together', async () => {
      const folder = makeStaleLock();
      const all = Array.from({ length: 5 }, () => makeLocks(folder));
      await Promise.all(all.map(({ locks }) => locks.recover()));
      assert.equal(all.flatMap(({ broken }) => broken).length, 1);
      assert.deepEqual(listLocks(folder), []);
      for (const { locks } of all) locks.close();
    });

    test('fails if one lock can’t be broken, judges the others, and can be tried again', async () => {
      let failures = 0;
      const onBreak = async (name: string) => {
        if (name !== 'a') return;
        failures += 1;
        if (failures === 1) throw failure('EIO');
      };
      const { folder, locks } = makeLocks(makeTempFolder('lock'), { onBreak });
      for (const name of ['a', 'b']) fs.writeFileSync(join(folder, `${name}.lock`), 'x');
      await assert.rejects(locks.recover(), { code: 'EIO' });
      assert.deepEqual(listLocks(folder), ['a.lock']);
      await locks.recover();
      assert.deepEqual(listLocks(folder), []);
      locks.close();
    });
  });
});

suite('an owner who lives', { concurrency: true }, () => {
  test('keeps its lock, however long it holds it and others wait', async () => {
    const folder = makeTempFolder('lock');
    const [owner, waiter] = [makeLocks(folder), makeLocks(folder)];
    const held = await owner.locks.acquire('r');
    const acquired = waiter.locks.acquire('r');
    await pause(STALE_MS * 1.4);
    assert.deepEqual(waiter.waits, []);
    assert.ok(held.isHeld());
    await held.release();
    await (await acquired).release();
    assert.deepEqual(waiter.broken, []);
    for (const { locks } of [owner, waiter]) locks.close();
  });

  test('keeps its lock through the recovery of others, who do not wait for it', async () => {
    const folder = makeTempFolder('lock');
    const [owner, starter] = [makeLocks(folder), makeLocks(folder)];
    const [held, released] = [await owner.locks.acquire('a'), await owner.locks.acquire('b')];
    const recovered = starter.locks.recover();
    await released.release();
    await recovered;
    assert.ok(held.isHeld());
    assert.deepEqual(starter.broken, []);
    assert.deepEqual(listLocks(folder), ['a.lock']);
    await held.release();
    for (const { locks } of [owner, starter]) locks.close();
  });

  test('breaks a stale lock alone, however long its disk takes to make the rest durable', async () => {
    const folder = makeStaleLock();
    const breaks: string[] = [];
    const makeBreaker = (name: string) =>
      makeLocks(folder, {
        onBreak: async () => {
          breaks.push(name);
          await pause(STALE_MS * 1.2);
        },
      });
    const all = ['one', 'other'].map(makeBreaker);
    await Promise.all(all.map(({ locks }) => passThrough(locks)));
    assert.equal(breaks.length, 1, breaks.join());
    for (const { locks } of all) locks.close();
  });
});

test('a sweep removes what processes left a day ago, and neither locks nor what is newer', () => {
  const { folder, locks } = makeLocks();
  const old = Date.now() / 1000 - 25 * 3600;
  for (const name of ['old.break', '1-2.probe', '0123456789abcdef-1.own', 'r.lock']) {
    fs.writeFileSync(join(folder, name), '');
    fs.utimesSync(join(folder, name), old, old);
  }
  fs.linkSync(join(folder, 'old.break'), join(folder, '0123456789abcdef-3.own'));
  fs.writeFileSync(join(folder, 'new.break'), '');
  fs.linkSync(join(folder, 'r.lock'), join(folder, '0123456789abcdef-2.own'));
  const before = locks.read('r')?.identity;
  for (let day = 0; day < 2; day += 1) locks.sweep();
  assert.equal(locks.read('r')?.identity, before, 'a lock stays the very same');
  const left = ['0123456789abcdef-2.own', 'new.break', 'r.lock'];
  assert.deepEqual(fs.readdirSync(folder).sort(), left);
  locks.close();
});
