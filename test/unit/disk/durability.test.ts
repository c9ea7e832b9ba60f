// Making names and contents durable, and what a dead writer left.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { makeFolders, settleDead, syncFolder } from '../../../lib/disk/durability.ts';
import { makeTempFolder } from '../../support/paths.ts';

const failure = (code: string) => Object.assign(new Error(code), { code });

/** A disk that notes which paths are synced. */
function makeNotingDisk(other: Partial<Disk> = {}): { disk: Disk; synced: string[] } {
  const synced: string[] = [];
  const paths = new Map<number, string>();
  const disk: Disk = {
    ...realDisk,
    openSync: (path, flags, mode) => {
      const fd = realDisk.openSync(path, flags, mode);
      paths.set(fd, path);
      return fd;
    },
    fsyncSync: (fd) => {
      synced.push(paths.get(fd) ?? '');
      realDisk.fsyncSync(fd);
    },
    fdatasyncSync: (fd) => {
      synced.push(paths.get(fd) ?? '');
      realDisk.fdatasyncSync(fd);
    },
    ...other,
  };
  return { disk, synced };
}

suite('folders', () => {
  test('are made with those above, and each new name is synced where it stands', () => {
    const top = makeTempFolder('durable');
    const folder = join(top, 'a', 'b');
    const { disk, synced } = makeNotingDisk();
    makeFolders(folder, '.locks', disk);
    assert.ok(fs.statSync(join(folder, '.locks')).isDirectory());
    assert.ok(synced.includes(top), 'the name a');
    assert.ok(synced.includes(join(top, 'a')), 'the name b');
  });

  test('that are there are synced where they stand all the same: who made them may not have come to it', () => {
    const top = makeTempFolder('durable');
    const folder = join(top, 'rooms');
    fs.mkdirSync(join(folder, '.locks'), { recursive: true });
    const { disk, synced } = makeNotingDisk();
    makeFolders(folder, '.locks', disk);
    assert.ok(synced.includes(top), synced.join(' '));
  });

  test('above that may not be opened are left to their administrator; other failures are told', () => {
    const folder = join(makeTempFolder('durable'), 'rooms');
    const deny = (code: string): Disk => ({
      ...realDisk,
      openSync: () => {
        throw failure(code);
      },
    });
    makeFolders(folder, '.locks', deny('EACCES'));
    assert.throws(() => makeFolders(folder, '.locks', deny('EIO')), { code: 'EIO' });
  });

  test('are synced without a handle left', async () => {
    const folder = makeTempFolder('durable');
    await syncFolder(folder);
    await assert.rejects(syncFolder(join(folder, 'gone')), { code: 'ENOENT' });
  });
});

suite('what a dead writer left', () => {
  function makeRoom(text: string): string {
    const file = join(makeTempFolder('durable'), 'r.txt');
    fs.writeFileSync(file, text);
    return file;
  }

  test('is made durable, with the room’s name', () => {
    const file = makeRoom('one\ntwo\n');
    const { disk, synced } = makeNotingDisk();
    settleDead(file, 4, disk);
    assert.deepEqual(synced, [file, join(file, '..')]);
    assert.equal(fs.readFileSync(file, 'utf8'), 'one\ntwo\n');
  });

  test('is nothing where there is no room', () => {
    const { disk, synced } = makeNotingDisk();
    settleDead(join(makeTempFolder('durable'), 'r.txt'), 0, disk);
    assert.deepEqual(synced, []);
  });

  for (const [committedBytes, left] of [
    [4, 'one\n'],
    [0, ''],
    [8, 'one\ntwo\n'],
    [99, 'one\ntwo\n'],
    [undefined, 'one\ntwo\n'],
  ] as const) {
    test(`that can’t be synced is taken back to the base, here ${committedBytes}`, () => {
      const file = makeRoom('one\ntwo\n');
      const { disk } = makeNotingDisk({
        fdatasyncSync: () => {
          throw failure('EIO');
        },
      });
      assert.throws(() => settleDead(file, committedBytes, disk), { code: 'EIO' });
      assert.equal(fs.readFileSync(file, 'utf8'), left);
    });
  }
});
