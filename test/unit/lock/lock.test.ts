// The lock within one process: who gets it, and when a dead owner's goes (contract §9).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { ServiceError } from '../../../lib/errors.ts';
import { STALE_MS } from '../../../lib/lock/held-lock.ts';
import { type LockEvents, LockFolder } from '../../../lib/lock/lock.ts';
import { listLocks, makeTempFolder } from '../../support/paths.ts';
import { pause } from '../../support/server.ts';

const recoveryMs = 3000;

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
  const locks = new LockFolder(folder, called, disk);
  return { folder, locks, waits, broken };
}

suite('a lock', () => {
  test('is taken at once where nobody holds it, and again when it is let go', async () => {
    const { folder, locks, waits } = makeLocks();
    for (let round = 0; round < 100; round += 1) {
      const held = await locks.acquire('r');
      assert.deepEqual(listLocks(folder), ['r.lock']);
      held.release();
      assert.deepEqual(listLocks(folder), []);
    }
    assert.equal(waits.length, 100);
    locks.close();
  });

  test('of one name leaves the others alone', async () => {
    const { locks } = makeLocks();
    const held = [await locks.acquire('a'), await locks.acquire('b')];
    for (const one of held) one.release();
    locks.close();
  });

  test('that could not be removed shares its file with no other', async () => {
    let isStuck = true;
    const disk: Disk = {
      ...realDisk,
      statfsSync: () => ({ type: 0xef53 }),
      unlinkSync: (path) => {
        if (isStuck && path.endsWith('.lock'))
          throw Object.assign(new Error('EIO'), { code: 'EIO' });
        realDisk.unlinkSync(path);
      },
    };
    const { folder, locks } = makeLocks(makeTempFolder('lock'), {}, disk);
    const toInode = (name: string): number => fs.statSync(join(folder, `${name}.lock`)).ino;
    await (await locks.acquire('a')).release();
    assert.equal(fs.readFileSync(join(folder, 'a.lock'), 'utf8'), '', 'it is left empty');
    isStuck = false;
    const next = await locks.acquire('b');
    assert.notEqual(toInode('b'), toInode('a'));
    const inode = toInode('b');
    await next.release();
    await locks.acquire('c');
    assert.equal(toInode('c'), inode, 'one that is gone gives its file to the next');
    assert.equal(fs.readFileSync(join(folder, 'a.lock'), 'utf8'), '');
    locks.close();
  });

  test('is held by one at a time, however many want it, and all get it', async () => {
    const folder = makeTempFolder('lock');
    const all = Array.from({ length: 4 }, () => makeLocks(folder));
    let holders = 0;
    let turns = 0;
    const contend = async ({ locks }: Locks) => {
      for (let round = 0; round < 25; round += 1) {
        const held = await locks.acquire('r');
        holders += 1;
        assert.equal(holders, 1);
        await pause(0);
        assert.equal(holders, 1);
        holders -= 1;
        turns += 1;
        held.release();
      }
    };
    await Promise.all(all.map(contend));
    assert.equal(turns, 100);
    for (const { locks, broken } of all) {
      assert.deepEqual(broken, []);
      locks.close();
    }
  });

  test('is seen by others with the size it tells', async () => {
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
    held.release();
    assert.equal(other.locks.read('r'), undefined);
    one.locks.close();
    other.locks.close();
  });

  test('can’t be had where its folder is gone: the system’s error says so', async () => {
    const { folder, locks } = makeLocks();
    fs.rmSync(folder, { recursive: true });
    await assert.rejects(locks.acquire('r'), { code: 'ENOENT' });
    assert.equal(locks.read('r'), undefined);
    locks.close();
  });
});

/** Lets a breaker begin and fail, and gives the name of the guard that it broke the lock in. */
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

suite('with time', { concurrency: true }, () => {
  suite('a dead owner’s lock', { concurrency: true }, () => {
    const texts: Record<string, [text: string, committedBytes: number | undefined]> = {
      'that tells its base': ['0123456789abcdef 1 77\n', 77],
      'that is empty: nothing was written': ['', undefined],
      'that was written by half': ['0123456789abc', undefined],
      'that a person made': ['mine!\n', undefined],
    };
    for (const [what, [text, committedBytes]] of Object.entries(texts)) {
      test(`(${what}) is broken within 3 s, not before it is stale`, async () => {
        const { folder, locks, waits, broken } = makeLocks();
        fs.writeFileSync(join(folder, 'r.lock'), text);
        const begunMs = performance.now();
        const held = await locks.acquire('r');
        const tookMs = performance.now() - begunMs;
        assert.ok(tookMs >= STALE_MS, `after ${tookMs} ms`);
        assert.ok(tookMs < recoveryMs, `after ${tookMs} ms`);
        assert.deepEqual(broken, [['r', committedBytes]]);
        assert.equal(waits.length, 1);
        held.release();
        assert.deepEqual(listLocks(folder), [], 'nothing is left behind');
        locks.close();
      });
    }

    test('is broken once by all who want it, and they get it one by one', async () => {
      const folder = makeTempFolder('lock');
      fs.writeFileSync(join(folder, 'r.lock'), '0123456789abcdef 1 0\n');
      const all = Array.from({ length: 8 }, () => makeLocks(folder));
      let holders = 0;
      await Promise.all(
        all.map(async ({ locks }) => {
          const held = await locks.acquire('r');
          holders += 1;
          await pause(2);
          assert.equal(holders, 1);
          holders -= 1;
          held.release();
        }),
      );
      assert.equal(all.flatMap(({ broken }) => broken).length, 1);
      assert.deepEqual(listLocks(folder), []);
      for (const { locks } of all) locks.close();
    });

    test('with a time far in the past or the future is no sooner and no later dead: no clock is compared', async () => {
      const folder = makeTempFolder('lock');
      const { locks } = makeLocks(folder);
      const times = { past: 1, future: 4_000_000_000 };
      await Promise.all(
        Object.entries(times).map(async ([name, seconds]) => {
          fs.writeFileSync(join(folder, `${name}.lock`), 'x');
          fs.utimesSync(join(folder, `${name}.lock`), seconds, seconds);
          const begunMs = performance.now();
          (await locks.acquire(name)).release();
          const tookMs = performance.now() - begunMs;
          assert.ok(tookMs >= STALE_MS && tookMs < recoveryMs, `${name}: ${tookMs} ms`);
        }),
      );
      locks.close();
    });

    test('stays where what it left could not be made durable, and goes when it could', async () => {
      let breaks = 0;
      const onBreak = async () => {
        breaks += 1;
        if (breaks === 1) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      };
      const { folder, locks } = makeLocks(makeTempFolder('lock'), { onBreak });
      fs.writeFileSync(join(folder, 'r.lock'), 'dead');
      await assert.rejects(locks.acquire('r'), { code: 'EIO' });
      assert.deepEqual(listLocks(folder), ['r.lock']);
      (await locks.acquire('r')).release();
      assert.equal(breaks, 2);
      locks.close();
    });

    test('is told of before it goes, and stays where its owner came back to life just then', async () => {
      const folder = makeTempFolder('lock');
      const file = join(folder, 'r.lock');
      let seen = '';
      const onBreak = async () => {
        seen = fs.readFileSync(file, 'utf8');
        fs.writeFileSync(file, 'alive');
      };
      const { locks } = makeLocks(folder, { onBreak });
      fs.writeFileSync(file, 'dead');
      const acquired = locks.acquire('r');
      await pause(STALE_MS + 500);
      assert.equal(seen, 'dead');
      assert.equal(fs.readFileSync(file, 'utf8'), 'alive');
      fs.rmSync(file);
      (await acquired).release();
      locks.close();
    });

    test('is broken though another breaker died at it, each death within 3 s', async () => {
      const folder = makeTempFolder('lock');
      fs.writeFileSync(join(folder, 'r.lock'), 'dead');
      const guard = await seeGuard(folder);
      fs.writeFileSync(join(folder, guard), '');
      const { locks } = makeLocks(folder);
      const begunMs = performance.now();
      (await locks.acquire('r')).release();
      const tookMs = performance.now() - begunMs;
      assert.ok(tookMs < 2 * recoveryMs, `after ${tookMs} ms`);
      assert.ok(tookMs > STALE_MS * 1.5, `the guard stood in the way: ${tookMs} ms`);
      assert.deepEqual(listLocks(folder), []);
      locks.close();
    });

    test('is broken inside the same guard by all, wherever they have the folder', async () => {
      const folder = makeTempFolder('lock');
      const other = `${folder}-elsewhere`;
      fs.symlinkSync(folder, other);
      fs.writeFileSync(join(folder, 'r.lock'), 'dead');
      const guards = await Promise.all([seeGuard(folder), seeGuard(other)]);
      assert.equal(guards[0], guards[1]);
      fs.rmSync(other);
    });
  });

  suite('recovery', { concurrency: true }, () => {
    test('of a folder without locks is over in the same tick', async () => {
      const { locks } = makeLocks();
      const recovered = locks.recover().then(() => 'recovered');
      assert.equal(await Promise.race([recovered, nextTick('later')]), 'recovered');
      locks.close();
    });

    test('breaks all stale locks in parallel, and tells of each before it goes', async () => {
      const { folder, locks, broken } = makeLocks();
      const names = Array.from({ length: 20 }, (_, index) => `r${index}`);
      for (const name of names) fs.writeFileSync(join(folder, `${name}.lock`), 'x 1 7\n');
      const begunMs = performance.now();
      await locks.recover();
      const tookMs = performance.now() - begunMs;
      assert.ok(tookMs >= STALE_MS, `after ${tookMs} ms`);
      assert.ok(tookMs < recoveryMs, `after ${tookMs} ms`);
      assert.deepEqual(broken.sort(), names.map((name) => [name, 7] as const).sort());
      assert.deepEqual(listLocks(folder), []);
      locks.close();
    });

    test('does not wait for living owners, and leaves them their locks', async () => {
      const folder = makeTempFolder('lock');
      const [owner, starter] = [makeLocks(folder), makeLocks(folder)];
      const [held, released] = [await owner.locks.acquire('a'), await owner.locks.acquire('b')];
      const recovered = starter.locks.recover();
      released.release();
      await recovered;
      assert.ok(held.isHeld());
      assert.deepEqual(starter.broken, []);
      assert.deepEqual(listLocks(folder), ['a.lock']);
      held.release();
      for (const { locks } of [owner, starter]) locks.close();
    });

    test('is done once by several that start together', async () => {
      const folder = makeTempFolder('lock');
      fs.writeFileSync(join(folder, 'r.lock'), 'x');
      const all = Array.from({ length: 5 }, () => makeLocks(folder));
      await Promise.all(all.map(({ locks }) => locks.recover()));
      assert.equal(all.flatMap(({ broken }) => broken).length, 1);
      assert.deepEqual(listLocks(folder), []);
      for (const { locks } of all) locks.close();
    });

    test('fails where one lock can’t be broken, judges the others, and can be tried again', async () => {
      let failures = 0;
      const onBreak = async (name: string) => {
        if (name !== 'a') return;
        failures += 1;
        if (failures === 1) throw Object.assign(new Error('EIO'), { code: 'EIO' });
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

  suite('a live owner', { concurrency: true }, () => {
    test('that holds its lock for long keeps it, however long others wait', async () => {
      const folder = makeTempFolder('lock');
      const [owner, waiter] = [makeLocks(folder), makeLocks(folder)];
      const held = await owner.locks.acquire('r');
      held.publish(5);
      let isHad = false;
      const acquired = waiter.locks.acquire('r').then((lock) => {
        isHad = true;
        return lock;
      });
      const begunMs = performance.now();
      await pause(STALE_MS * 1.7);
      assert.equal(isHad, false);
      assert.ok(held.isHeld());
      assert.deepEqual(waiter.broken, []);
      // Not the time that was asked for: a timer may fire a little early.
      const heldMs = performance.now() - begunMs;
      held.release();
      (await acquired).release();
      assert.ok(waiter.waits[0]! >= heldMs, `${waiter.waits[0]} of ${heldMs} ms`);
      for (const { locks } of [owner, waiter]) locks.close();
    });

    test('that stopped touching is dead for others', async () => {
      const folder = makeTempFolder('lock');
      const [owner, waiter] = [makeLocks(folder), makeLocks(folder)];
      const held = await owner.locks.acquire('r');
      held.publish(5);
      owner.locks.close();
      const begunMs = performance.now();
      const next = await waiter.locks.acquire('r');
      assert.ok(performance.now() - begunMs < recoveryMs);
      assert.deepEqual(waiter.broken, [['r', 5]]);
      assert.ok(!held.isHeld());
      held.release();
      assert.ok(next.isHeld(), 'the late one takes nothing away');
      assert.ok(fs.existsSync(join(folder, 'r.lock')));
      next.release();
      waiter.locks.close();
    });

    test('is waited for 10 s at most: then the append is refused', async () => {
      const folder = makeTempFolder('lock');
      const [owner, waiter] = [makeLocks(folder), makeLocks(folder)];
      const held = await owner.locks.acquire('r');
      const begunMs = performance.now();
      await assert.rejects(
        waiter.locks.acquire('r'),
        (error) => error instanceof ServiceError && error.code === 'unavailable',
      );
      const tookMs = performance.now() - begunMs;
      assert.ok(tookMs >= 10_000 && tookMs < 15_000, `${tookMs} ms`);
      held.release();
      for (const { locks } of [owner, waiter]) locks.close();
    });
  });
});

suite('a sweep', () => {
  test('removes what the dead left a day ago, and neither locks nor what is newer', () => {
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
    locks.sweep();
    locks.sweep();
    assert.equal(locks.read('r')?.identity, before, 'a lock looks as it did');
    const left = ['0123456789abcdef-2.own', 'new.break', 'r.lock'];
    assert.deepEqual(fs.readdirSync(folder).sort(), left);
    locks.close();
  });
});
