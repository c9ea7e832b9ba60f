// Making files and names durable, on disks that can't, or fail at it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { makeWritesDurable, syncFolder, syncFoldersAbove } from '../../../lib/disk/durability.ts';
import { makeTempFolder } from '../../support/paths.ts';

const failure = (code: string) => Object.assign(new Error(code), { code });
const neverUnsyncable = (error: unknown) => assert.fail(error as Error);

/** A disk whose folders fail to be opened or synced. */
function makeDisk(call: 'open' | 'sync', code: string): Disk {
  const open: Disk['open'] = async (path, flags) => {
    if (call === 'open') throw failure(code);
    const handle = await realDisk.open(path, flags);
    return Object.assign(handle, { sync: () => Promise.reject(failure(code)) });
  };
  return { ...realDisk, open };
}

/** A disk that notes which folders are synced. */
function makeNotingDisk(): { disk: Disk; synced: string[] } {
  const synced: string[] = [];
  const open: Disk['open'] = (path, flags) => {
    synced.push(path);
    return realDisk.open(path, flags);
  };
  return { disk: { ...realDisk, open }, synced };
}

suite('a folder', () => {
  test('is synced, and one that is gone is an error', async () => {
    const folder = makeTempFolder('durable');
    await syncFolder(folder, realDisk, neverUnsyncable);
    const gone = syncFolder(join(folder, 'gone'), realDisk, neverUnsyncable);
    await assert.rejects(gone, { code: 'ENOENT' });
  });

  for (const code of ['EINVAL', 'ENOTSUP', 'ENOSYS', 'EACCES', 'EPERM', 'EISDIR']) {
    for (const call of ['open', 'sync'] as const) {
      test(`whose ${call} fails with ${code} is reported and no error`, async () => {
        const told: unknown[] = [];
        const folder = makeTempFolder('durable');
        await syncFolder(folder, makeDisk(call, code), (error) => told.push(error));
        assert.deepEqual(told, [failure(code)]);
      });
    }
  }

  for (const code of ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ESTALE']) {
    test(`whose sync fails with ${code} is an error`, async () => {
      const folder = makeTempFolder('durable');
      const synced = syncFolder(folder, makeDisk('sync', code), neverUnsyncable);
      await assert.rejects(synced, { code });
    });
  }

  test('has its name made durable, and those of all above it: who made them may not have', async () => {
    const { disk, synced } = makeNotingDisk();
    const top = makeTempFolder('durable');
    fs.mkdirSync(join(top, 'a', 'b'), { recursive: true });
    await syncFoldersAbove(join(top, 'a', 'b'), disk);
    assert.deepEqual(synced.slice(0, 2), [join(top, 'a'), top]);
    assert.equal(synced.at(-1), '/');
  });

  test('is not held up by folders above it that can’t be synced, but by a failing disk', async () => {
    const folder = makeTempFolder('durable');
    await syncFoldersAbove(folder, makeDisk('open', 'EACCES'));
    await assert.rejects(syncFoldersAbove(folder, makeDisk('sync', 'EIO')), { code: 'EIO' });
  });
});

suite('what another process wrote', () => {
  const text = 'one\ntwo\nthree\n';

  /** A file, on a disk whose first syncs fail; notes what is written to it. */
  function makeFile(failures: number): { file: string; disk: Disk; done: string[] } {
    const file = join(makeTempFolder('durable'), 'r.txt');
    fs.writeFileSync(file, text);
    const done: string[] = [];
    const disk: Disk = {
      ...realDisk,
      fdatasync: async (fd) => {
        const isFailing = done.filter((call) => call.includes('sync')).length < failures;
        done.push(isFailing ? 'failed sync' : 'sync');
        if (isFailing) throw failure('EIO');
        await realDisk.fdatasync(fd);
      },
      writeSync: (fd, bytes, offset = 0, length = bytes.length, position) => {
        done.push(`${position}: ${bytes.toString('utf8', offset, offset + length)}`);
        return realDisk.writeSync(fd, bytes, offset, length, position);
      },
    };
    return { file, disk, done };
  }

  test('is synced, and not written again', async () => {
    const { file, disk, done } = makeFile(0);
    await makeWritesDurable(file, 4, disk);
    assert.deepEqual(done, ['sync']);
  });

  test('is nothing where there is no file', async () => {
    const { file, disk, done } = makeFile(0);
    await makeWritesDurable(`${file}~`, 0, disk);
    assert.deepEqual(done, []);
  });

  test('is written again in its place after a sync that failed: the next one would sync nothing', async () => {
    const { file, disk, done } = makeFile(1);
    await makeWritesDurable(file, 4, disk);
    assert.deepEqual(done, ['failed sync', '4: two\nthree\n', 'sync']);
    assert.equal(fs.readFileSync(file, 'utf8'), text);
  });

  test('is written again in pieces if it is large', async () => {
    const { file, disk } = makeFile(1);
    const large = `${text}${'0123456789abcde\n'.repeat(200_000)}`;
    fs.writeFileSync(file, large);
    await makeWritesDurable(file, 4, disk);
    assert.equal(fs.readFileSync(file, 'utf8'), large);
  });

  for (const fromBytes of [0, 4, 14, 99, undefined]) {
    test(`from ${fromBytes} on is never cut off, though no sync succeeds`, async () => {
      const { file, disk } = makeFile(9);
      await assert.rejects(makeWritesDurable(file, fromBytes, disk), { code: 'EIO' });
      assert.equal(fs.readFileSync(file, 'utf8'), text);
    });
  }
});
