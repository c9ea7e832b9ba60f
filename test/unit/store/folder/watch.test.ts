// Watching a folder: notices, the poll behind them, and folders that come and go.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { POLL_MS, watchFolder } from '../../../../lib/store/folder/watch.ts';
import { makeTempFolder } from '../../../support/paths.ts';
import { pause, waitUntil } from '../../../support/server.ts';

interface Watched {
  folder: string;
  /** The rooms that were reported since the last call. */
  take(): string[];
  stop(): void;
}

function watch(t: TestContext, rooms: string[] = [], folder = makeTempFolder('watch')): Watched {
  let told: string[] = [];
  const toTag = (room: string) => {
    const stat = fs.statSync(join(folder, `${room}.txt`), { throwIfNoEntry: false });
    return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
  };
  const stop = watchFolder(
    { path: folder, locks: join(folder, '.locks') },
    () => rooms,
    toTag,
    (room) => told.push(room),
  );
  t.after(stop);
  const take = () => {
    const taken = [...new Set(told)];
    told = [];
    return taken;
  };
  return { folder, take, stop };
}

/** Waits until a room was told of. */
async function waitFor(watched: Watched, room: string, timeoutMs = 20_000): Promise<void> {
  const seen = new Set<string>();
  await waitUntil(
    `told of ${room}`,
    () => {
      for (const one of watched.take()) seen.add(one);
      return seen.has(room);
    },
    timeoutMs,
  );
}

/** Stands in for a file system that tells nobody: as network mounts do. */
function silence(t: TestContext): void {
  t.mock.method(fs, 'watch', () => {
    throw Object.assign(new Error('ENOSYS'), { code: 'ENOSYS' });
  });
}

suite('a watch', { concurrency: true }, () => {
  test('tells of a room that is made, changed, replaced and removed, though nobody reads it', async (t) => {
    const watched = watch(t);
    const file = join(watched.folder, 'r.txt');
    const changes = [
      () => fs.writeFileSync(file, 'one\n'),
      () => fs.appendFileSync(file, 'two\n'),
      () => {
        fs.writeFileSync(`${file}~`, 'x');
        fs.renameSync(`${file}~`, file);
      },
      () => fs.truncateSync(file),
      () => fs.rmSync(file),
    ];
    for (const change of changes) {
      change();
      await waitFor(watched, 'r');
      await pause(50);
      watched.take();
    }
  });

  test('tells rooms by their names, and of no stranger’s file', async (t) => {
    const watched = watch(t);
    fs.mkdirSync(join(watched.folder, '.locks'));
    for (const file of [
      'Upper.txt',
      'r.txt~',
      'r.md',
      '.hidden.txt',
      '%zz.txt',
      '.locks/r.lock',
      '%D7%A9.txt',
    ]) {
      fs.writeFileSync(join(watched.folder, file), 'x');
    }
    await waitFor(watched, '\u05e9');
    fs.writeFileSync(join(watched.folder, 'last.txt'), 'x');
    await waitFor(watched, 'last');
    assert.deepEqual(watched.take(), []);
  });

  test('goes on in a folder that was removed and made anew', async (t) => {
    const watched = watch(t);
    fs.rmSync(watched.folder, { recursive: true });
    await pause(POLL_MS * 1.5);
    fs.mkdirSync(watched.folder);
    // Two polls: in one of them it finds the new folder. Then the notices come again.
    await pause(POLL_MS * 2.5);
    watched.take();
    fs.writeFileSync(join(watched.folder, 'r.txt'), 'x');
    await waitFor(watched, 'r');
  });

  test('goes on in a folder that was replaced at once, which may have the inode of the old one', async (t) => {
    const watched = watch(t);
    fs.rmSync(watched.folder, { recursive: true });
    fs.mkdirSync(watched.folder);
    await pause(POLL_MS * 2.5);
    watched.take();
    fs.writeFileSync(join(watched.folder, 'r.txt'), 'x');
    await waitFor(watched, 'r');
  });

  test('begins though there is no folder yet', async (t) => {
    const folder = join(makeTempFolder('watch'), 'later');
    const watched = watch(t, [], folder);
    fs.mkdirSync(folder);
    await pause(POLL_MS * 2.5);
    fs.writeFileSync(join(folder, 'r.txt'), 'x');
    await waitFor(watched, 'r');
  });

  test('tells nothing once it is stopped', async (t) => {
    const watched = watch(t, ['r']);
    await waitFor(watched, 'r');
    watched.stop();
    watched.take();
    fs.writeFileSync(join(watched.folder, 'r.txt'), 'x');
    await pause(POLL_MS * 1.5);
    assert.deepEqual(watched.take(), []);
  });

  test('does not keep a process alive', async (t) => {
    const { spawnSync } = await import('node:child_process');
    const module = JSON.stringify(
      new URL('../../../../lib/store/folder/watch.js', import.meta.url).href,
    );
    const script = `const { watchFolder } = await import(${module});
      watchFolder({ path: process.argv[1], locks: '' }, () => ['r'], () => '', () => {});`;
    const args = ['--input-type=module', '-e', script, makeTempFolder('watch')];
    const { status, signal } = spawnSync(process.execPath, args, { timeout: 30_000 });
    assert.deepEqual([status, signal], [0, null]);
    t.diagnostic('ended by itself');
  });
});

suite('on a file system that tells nobody', () => {
  test('the poll tells of the rooms that are read, within its time, and of no other', async (t) => {
    silence(t);
    const rooms = ['read'];
    const watched = watch(t, rooms);
    await waitFor(watched, 'read');
    for (const room of ['read', 'unread'])
      fs.writeFileSync(join(watched.folder, `${room}.txt`), 'x');
    await waitFor(watched, 'read');
    assert.deepEqual(watched.take(), []);
    await pause(POLL_MS * 1.5);
    assert.deepEqual(watched.take(), [], 'nothing changed, nothing is told');
    rooms.push('unread');
    await waitFor(watched, 'unread');
  });

  test('a room whose tag can’t be had is told of when it can again', async (t) => {
    silence(t);
    let isBroken = true;
    const told: string[] = [];
    const toTag = () => {
      if (isBroken) throw new Error('EIO');
      return 'tag';
    };
    t.after(
      watchFolder(
        { path: makeTempFolder('watch'), locks: '' },
        () => ['r'],
        toTag,
        (room) => told.push(room),
      ),
    );
    await waitUntil('polled', () => told.length > 0);
    isBroken = false;
    await waitUntil('told of again', () => told.length > 1);
  });
});
