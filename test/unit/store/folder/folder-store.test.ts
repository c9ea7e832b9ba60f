// The folder store as a whole, on a real folder (store.ts has its promises).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { type Disk, realDisk } from '../../../../lib/disk/disk.ts';
import { ServiceError } from '../../../../lib/errors.ts';
import { Log } from '../../../../lib/ops/log.ts';
import { Registry } from '../../../../lib/ops/metrics.ts';
import { toFileStem } from '../../../../lib/room/name.ts';
import { FolderStore } from '../../../../lib/store/folder/folder-store.ts';
import { listLocks, makeTempFolder } from '../../../support/paths.ts';
import { waitUntil } from '../../../support/server.ts';

interface Opened {
  folder: string;
  store: FolderStore;
  registry: Registry;
  lines: string[];
  /** The value of one metric's only sample. */
  count(name: string): number;
}

function open(t: TestContext, folder = makeTempFolder('store'), disk: Partial<Disk> = {}): Opened {
  const registry = new Registry();
  const lines: string[] = [];
  const log = new Log('debug', (line) => lines.push(line));
  const store = new FolderStore({
    folder,
    durable: true,
    log,
    registry,
    disk: { ...realDisk, ...disk },
  });
  t.after(() => store.close());
  const count = (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(registry.show())?.[1]);
  return { folder, store, registry, lines, count };
}

const say = (message: string) => ({ username: 'omri', message });
const failure = (code: string) => Object.assign(new Error(code), { code });
const isUnavailable = (error: unknown) =>
  error instanceof ServiceError && error.code === 'unavailable';

suite('a message', () => {
  test('is stored under the file that stands for its room, and nothing else is left there', async (t) => {
    const { store, folder } = open(t);
    const rooms = ['general', 'Upper', 'a/b', '..a', '\u05e9'];
    await Promise.all(rooms.map((room) => store.append(room, say('m'))));
    const files = rooms.map((room) => `${toFileStem(room)}.txt`);
    assert.deepEqual(fs.readdirSync(folder).sort(), ['.locks', ...files].sort());
    assert.deepEqual(listLocks(join(folder, '.locks')), []);
  });
});

suite('a disk that fails', () => {
  const faults: Record<string, Partial<Disk>> = {
    'can’t take the text': {
      writeSync: (fd, bytes, offset, length, position) => {
        if (position === undefined) throw failure('ENOSPC');
        return realDisk.writeSync(fd, bytes, offset, length, position);
      },
    },
    'can’t sync': { fdatasync: () => Promise.reject(failure('EIO')) },
    'can’t open the room': {
      openSync: (path, flags, mode) => {
        if (path.endsWith('.txt')) throw failure('EMFILE');
        return realDisk.openSync(path, flags, mode);
      },
    },
    'can’t make a lock': {
      linkSync: () => {
        throw failure('EROFS');
      },
    },
    'can’t make a file for its locks': {
      openSync: (path, flags, mode) => {
        if (path.endsWith('.own')) throw failure('EROFS');
        return realDisk.openSync(path, flags, mode);
      },
    },
    'can’t publish the committed offset': {
      writeSync: (fd, bytes, _offset, _length, position) => {
        if (position !== undefined) throw failure('ENOSPC');
        return realDisk.writeSync(fd, bytes);
      },
    },
  };
  for (const [what, disk] of Object.entries(faults)) {
    test(`(it ${what}) refuses the message, and no part of it is there`, async (t) => {
      const { folder } = open(t);
      fs.writeFileSync(join(folder, 'r.txt'), 'one\n');
      const { store, count, lines } = open(t, folder, disk);
      await assert.rejects(store.append('r', say('secret')), (error) => {
        assert.ok(isUnavailable(error), String(error));
        assert.match((error as Error).message, /^[\x20-\x7e]*\(E[A-Z]+\)[\x20-\x7e]*$/);
        assert.doesNotMatch((error as Error).message, /\/tmp|secret/);
        return true;
      });
      assert.equal(fs.readFileSync(join(folder, 'r.txt'), 'utf8'), 'one\n');
      assert.deepEqual(listLocks(join(folder, '.locks')), [], 'the lock is released');
      assert.equal(count('chat_store_errors_total'), 1);
      assert.match(lines.join(''), / error .*E[A-Z]+/);
      assert.doesNotMatch(lines.join(''), /secret|omri/);
    });
  }

  test('refuses a snapshot as well, and a bug in it is no refusal', async (t) => {
    const bad = open(t, makeTempFolder('store'), {
      statSync: (path, options) => {
        if (path.endsWith('r.txt')) throw failure('EIO');
        return realDisk.statSync(path, options);
      },
    });
    await assert.rejects(async () => bad.store.snapshot('r'), isUnavailable);
    await assert.rejects(async () => bad.store.etag('r'), isUnavailable);
    const buggy = open(t, makeTempFolder('store'), {
      statSync: (path, options) => {
        if (path.endsWith('r.txt')) throw new TypeError('a bug');
        return realDisk.statSync(path, options);
      },
    });
    await assert.rejects(async () => buggy.store.snapshot('r'), TypeError);
  });
});

suite('the folder', () => {
  test('may lose its locks', async (t) => {
    const { store, folder } = open(t);
    fs.rmdirSync(join(folder, '.locks'));
    await store.append('r', say('m'));
    assert.deepEqual(listLocks(join(folder, '.locks')), []);
  });

  test('is really written to by a check, which leaves nothing behind', async (t) => {
    const { store, folder } = open(t);
    await store.check();
    assert.deepEqual(listLocks(join(folder, '.locks')), []);
    assert.deepEqual(fs.readdirSync(folder), ['.locks']);
  });
});

suite('a watch', () => {
  function watch(t: TestContext, store: FolderStore): string[] {
    const told: string[] = [];
    t.after(
      store.watch(
        () => [],
        (room) => told.push(room),
      ),
    );
    return told;
  }

  test('reports a commit of its own before the sender has the receipt, and not sooner', async (t) => {
    let endSync = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      endSync = resolve;
    });
    let isSyncing = false;
    const fdatasync = async (fd: number): Promise<void> => {
      isSyncing = true;
      await gate;
      await realDisk.fdatasync(fd);
    };
    const { store, folder } = open(t, makeTempFolder('store'), { fdatasync });
    const told = watch(t, store);
    const answer = store.append('own', say('m'));
    await waitUntil('syncing', () => isSyncing);
    // The notices of its own write have come by the time those of a later write come.
    await open(t, folder).store.append('other', say('m'));
    await waitUntil('told of the other', () => told.includes('other'));
    const toldDuringSync = [...told];
    endSync();
    await answer;
    assert.ok(!toldDuringSync.includes('own'), 'there is nothing to be seen yet');
    assert.ok(told.includes('own'));
  });

  test('reports a room after a write that failed: somebody else may have written', async (t) => {
    const { store } = open(t, makeTempFolder('store'), {
      fdatasync: () => Promise.reject(failure('EIO')),
    });
    const told = watch(t, store);
    await assert.rejects(store.append('own', say('m')), isUnavailable);
    assert.deepEqual(new Set(told), new Set(['own']));
  });

  test('that was stopped reports nothing more', async (t) => {
    const { store } = open(t);
    const told: string[] = [];
    const stop = store.watch(
      () => [],
      (room) => told.push(room),
    );
    stop();
    await store.append('own', say('m'));
    assert.deepEqual(told, []);
  });
});

suite('a copy into a folder', () => {
  test('is listed, and goes on at the size that the room must have', async (t) => {
    const { store, folder } = open(t);
    fs.writeFileSync(join(folder, 'no room.txt'), 'x');
    fs.mkdirSync(join(folder, 'folder.txt'));
    assert.ok(await store.extend('B', 0, Buffer.from('one\n')));
    assert.ok(await store.extend('B', 4, Buffer.from('two\n')));
    assert.equal(await store.extend('B', 4, Buffer.from('two\n')), false);
    assert.ok(await store.extend('a', 0, Buffer.alloc(0)));
    assert.equal((await store.snapshot('B')).tail.toString(), 'one\ntwo\n');
    assert.deepEqual(await store.listRooms(), [
      { room: 'B', sizeBytes: 8 },
      { room: 'a', sizeBytes: 0 },
    ]);
  });

  test('makes durable what the owner of a stale lock wrote', async (t) => {
    let syncCount = 0;
    const fdatasync = (fd: number): Promise<void> => {
      syncCount += 1;
      return realDisk.fdatasync(fd);
    };
    const { store, folder, count } = open(t, makeTempFolder('store'), { fdatasync });
    fs.writeFileSync(join(folder, 'r.txt'), 'one\ntwo\n');
    fs.writeFileSync(join(folder, '.locks', 'r.lock'), '0123456789abcdef 7 4\n');
    assert.equal(await store.extend('r', 4, Buffer.from('x\n')), false);
    assert.equal(syncCount, 1);
    assert.equal(count('chat_stale_locks_broken_total'), 1);
  });

  test('releases the lock of a room that can’t be opened', async (t) => {
    const { store, folder } = open(t);
    fs.mkdirSync(join(folder, 'r.txt'));
    await assert.rejects(store.extend('r', 0, Buffer.from('x\n')), isUnavailable);
    assert.deepEqual(listLocks(join(folder, '.locks')), []);
  });

  test('that the disk does not take is refused, and nothing of it stays', async (t) => {
    const { store, folder } = open(t, makeTempFolder('store'), {
      fdatasync: () => Promise.reject(failure('EIO')),
    });
    fs.writeFileSync(join(folder, 'r.txt'), 'one\n');
    await assert.rejects(store.extend('r', 4, Buffer.from('two\n')), isUnavailable);
    assert.equal(fs.readFileSync(join(folder, 'r.txt'), 'utf8'), 'one\n');
    assert.deepEqual(listLocks(join(folder, '.locks')), []);
  });
});

suite('a start beside leftover locks', { concurrency: true }, () => {
  /**
   * Opens a folder that a power loss left with the lock of a room, and takes its first snapshot.
   */
  function restart(t: TestContext, disk: Partial<Disk> = {}) {
    const folder = makeTempFolder('store');
    fs.mkdirSync(join(folder, '.locks'));
    fs.writeFileSync(join(folder, 'r.txt'), 'one\ntwo\n');
    fs.writeFileSync(join(folder, 'free.txt'), 'three\n');
    fs.writeFileSync(join(folder, '.locks', 'r.lock'), '0123456789abcdef 7 4\n');
    return open(t, folder, disk);
  }

  test('shows, tags and takes nothing until they are judged, and then all of it', async (t) => {
    const { store, folder } = restart(t);
    const isLocked = () => listLocks(join(folder, '.locks')).includes('r.lock');
    const asked = [
      store.snapshot('r').then((snapshot) => snapshot.tail.toString()),
      store.etag('r'),
      store.append('free', say('m')),
      store.check(),
    ].map(async (answer) => {
      const value = await answer;
      assert.ok(!isLocked());
      return value;
    });
    assert.equal((await Promise.all(asked))[0], 'one\ntwo\n');
  });

  test('is no different where the locks can’t be listed', async (t) => {
    const { store, lines } = restart(t, {
      readdirSync: () => {
        throw failure('EACCES');
      },
    });
    assert.equal((await store.snapshot('free')).tail.toString(), 'three\n');
    assert.equal((await store.snapshot('r')).tail.toString(), 'one\ntwo\n');
    assert.match(lines.join(''), /judged room by room/);
  });
});

suite('the log', () => {
  test('has one line for a full disk, however many messages it refuses', async (t) => {
    const { store, lines, count } = open(t, makeTempFolder('store'), {
      fdatasync: () => Promise.reject(failure('ENOSPC')),
    });
    for (let n = 0; n < 20; n += 1) await assert.rejects(store.append('r', say('m')));
    assert.equal(lines.filter((line) => / error /.test(line)).length, 1);
    assert.equal(count('chat_store_errors_total'), 20);
  });
});

suite('a stale lock', { concurrency: true }, () => {
  const writeStale = (folder: string, committedBytes: number) =>
    fs.writeFileSync(join(folder, '.locks', 'r.lock'), `0123456789abcdef 7 ${committedBytes}\n`);

  test('is broken by the next message; what its owner left is a line of its own', async (t) => {
    const { store, folder, count, lines } = open(t);
    fs.writeFileSync(join(folder, 'r.txt'), 'one\nstump');
    writeStale(folder, 4);
    assert.equal((await store.snapshot('r')).tail.toString(), 'one\n');
    const { line } = await store.append('r', say('m'));
    assert.equal((await store.snapshot('r')).tail.toString(), `one\nstump\n${line}`);
    assert.equal(count('chat_stale_locks_broken_total'), 1);
    assert.match(lines.join(''), /breaking a stale lock/);
  });

  test('is broken though nobody writes, once somebody reads, and hides nothing any more', async (t) => {
    const { store, folder } = open(t);
    fs.writeFileSync(join(folder, 'r.txt'), 'one\ntwo\n');
    writeStale(folder, 4);
    assert.equal((await store.snapshot('r')).tail.toString(), 'one\n');
    await waitUntil(
      'the whole room',
      async () => (await store.snapshot('r')).tail.toString() === 'one\ntwo\n',
    );
    assert.ok((await store.snapshot('r')).isSettled);
    await waitUntil('no lock', () => listLocks(join(folder, '.locks')).length === 0);
  });

  test('whose owner’s text can’t be made durable stays, and readers are not shown that text', async (t) => {
    let isBroken = true;
    const { store, folder } = open(t, makeTempFolder('store'), {
      fdatasync: (fd) => (isBroken ? Promise.reject(failure('EIO')) : realDisk.fdatasync(fd)),
    });
    fs.writeFileSync(join(folder, 'r.txt'), 'one\nperhaps told\n');
    writeStale(folder, 4);
    await assert.rejects(store.append('r', say('m')), isUnavailable);
    assert.equal((await store.snapshot('r')).tail.toString(), 'one\n');
    assert.equal(fs.readFileSync(join(folder, 'r.txt'), 'utf8'), 'one\nperhaps told\n');
    isBroken = false;
    const { line } = await store.append('r', say('m'));
    assert.equal((await store.snapshot('r')).tail.toString(), `one\nperhaps told\n${line}`);
  });
});

suite('a file system that can’t sync folders', () => {
  for (const code of ['EINVAL', 'ENOTSUP', 'EACCES', 'EPERM']) {
    test(`and says ${code} takes messages, and is warned of once`, async (t) => {
      const cantSync: Disk['open'] = async (path, flags) => {
        const handle = await realDisk.open(path, flags);
        return Object.assign(handle, { sync: () => Promise.reject(failure(code)) });
      };
      const { store, lines } = open(t, makeTempFolder('store'), { open: cantSync });
      for (const room of ['a', 'b']) await store.append(room, say('m'));
      assert.equal(lines.filter((line) => / warn .*can't be synced/.test(line)).length, 1);
      assert.equal(lines.filter((line) => line.includes(code)).length, 1);
    });
  }
});

test('close waits for what was accepted, and leaves nothing beside the rooms', async (t) => {
  const { store, folder } = open(t);
  const sent = Array.from({ length: 20 }, (_, n) => store.append(`r${n % 3}`, say(`${n}`)));
  await store.close();
  const files = ['r0.txt', 'r1.txt', 'r2.txt'].map((file) =>
    fs.readFileSync(join(folder, file), 'utf8'),
  );
  assert.equal(files.join('').split('\n').length - 1, 20);
  assert.equal((await Promise.all(sent)).length, 20);
  assert.deepEqual(fs.readdirSync(join(folder, '.locks')), []);
});
