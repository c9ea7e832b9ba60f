// Recovery: what a start judges before anybody reads, and what it does where it can't.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { type Disk, realDisk } from '../../../../lib/disk/disk.ts';
import { LockFolder } from '../../../../lib/lock/lock.ts';
import { Recovery } from '../../../../lib/store/folder/recovery.ts';
import { makeTempFolder } from '../../../support/paths.ts';

interface Started {
  readonly recovery: Recovery;
  readonly failures: unknown[];
  /** The locks that were broken. */
  readonly broken: string[];
  readonly path: (name: string) => string;
}

interface Conditions {
  readonly disk?: Partial<Disk>;
  /** Locks that can't be broken. */
  readonly stuck?: string[];
  /** Replays the journals. */
  readonly replay?: () => Promise<void>;
}

/** Starts a recovery in a folder of locks whose owners show no sign of life. */
function start(t: TestContext, names: string[], conditions: Conditions = {}): Started {
  const folder = makeTempFolder('recovery');
  const path = (name: string): string => join(folder, `${name}.lock`);
  for (const name of names) fs.writeFileSync(path(name), '0123456789abcdef 1 5\n');
  const broken: string[] = [];
  const events = {
    onAcquire: () => undefined,
    onBreak: async (name: string) => {
      if (conditions.stuck?.includes(name)) throw new Error(`${name} can't be broken`);
      broken.push(name);
    },
  };
  const locks = new LockFolder(folder, events, { ...realDisk, ...conditions.disk });
  t.after(() => locks.close());
  const failures: unknown[] = [];
  const journals = { replay: conditions.replay ?? (async () => undefined) };
  const recovery = new Recovery(locks, journals, (error) => failures.push(error));
  return { recovery, failures, broken, path };
}

const listFails: Partial<Disk> = {
  readdirSync: () => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
  },
};

suite('a start', { concurrency: true }, () => {
  test('has nothing to wait for where there are no locks', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { recovery, failures } = start(t, []);
    await recovery.wait();
    await recovery.judge('any');
    assert.deepEqual(failures, []);
  });

  test('breaks all stale locks at once before a room can be read', async (t) => {
    const { recovery, broken, path } = start(t, ['a', 'b', 'c']);
    await recovery.judge('d');
    assert.deepEqual(broken.sort(), ['a', 'b', 'c']);
    assert.ok(!fs.existsSync(path('a')));
  });

  test('leaves the locks of those who are writing', async (t) => {
    const { recovery, broken, path } = start(t, ['busy']);
    fs.writeFileSync(path('busy'), 'fedcba9876543210 2 7\n');
    await recovery.wait();
    assert.deepEqual(broken, []);
    assert.ok(fs.existsSync(path('busy')));
    await recovery.judge('busy');
  });
});

suite('a start that can’t judge all locks together', { concurrency: true }, () => {
  test('judges each room’s when it is read, if their folder can’t be listed', async (t) => {
    const { recovery, failures, broken, path } = start(t, ['a', 'b'], { disk: listFails });
    await recovery.judge('unlocked');
    assert.equal(failures.length, 1);
    assert.deepEqual(broken, []);
    await recovery.judge('a');
    assert.deepEqual(broken, ['a']);
    assert.ok(fs.existsSync(path('b')));
  });

  test('judges a room’s lock once, not those that come later', async (t) => {
    const { recovery, broken, path } = start(t, ['a'], { disk: listFails });
    await recovery.judge('a');
    fs.writeFileSync(path('a'), '0123456789abcdef 3 5\n');
    await recovery.judge('a');
    assert.deepEqual(broken, ['a']);
  });

  test('refuses only the room whose lock can’t be broken', async (t) => {
    const { recovery, failures, broken } = start(t, ['bad', 'good'], { stuck: ['bad'] });
    await recovery.judge('good');
    assert.deepEqual(broken, ['good']);
    assert.match(String(failures[0]), /bad can't be broken/);
    await assert.rejects(recovery.judge('bad'), /bad can't be broken/);
  });
});

suite('a start after a power loss', () => {
  test('replays the journals once, before a room can be read', async (t) => {
    let replays = 0;
    const replay = async (): Promise<void> => {
      await new Promise(setImmediate);
      replays += 1;
    };
    const { recovery } = start(t, [], { replay });
    await Promise.all([recovery.judge('a'), recovery.wait()]);
    await recovery.judge('b');
    assert.equal(replays, 1);
  });

  test('refuses everything while they can’t be replayed, and tries again when asked again', async (t) => {
    let isBroken = true;
    const replay = async (): Promise<void> => {
      if (isBroken) throw new Error('no disk');
    };
    const { recovery } = start(t, [], { replay });
    await assert.rejects(recovery.judge('a'), /no disk/);
    await assert.rejects(recovery.wait(), /no disk/);
    isBroken = false;
    await recovery.judge('a');
  });
});
