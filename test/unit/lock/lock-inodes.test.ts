// The files behind a process's locks: made once, named by links, and given up where in doubt.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { type LockInode, LockInodes } from '../../../lib/lock/lock-inodes.ts';
import { makeTempFolder } from '../../support/paths.ts';

const TEXT = 'owner 1 -\nr.lock\n';

interface Made {
  folder: string;
  file: string;
  inodes: LockInodes;
  /** The files that the process keeps. */
  listOwn(): string[];
}

function makeInodes(disk: Partial<Disk> = {}): Made {
  const folder = makeTempFolder('pool');
  const statfsSync = () => ({ type: 0xef53 });
  const inodes = new LockInodes(folder, 'owner', { ...realDisk, statfsSync, ...disk });
  const listOwn = (): string[] => fs.readdirSync(folder).filter((name) => name.endsWith('.own'));
  return { folder, file: join(folder, 'r.lock'), inodes, listOwn };
}

/** A disk one of whose calls fails, once or ever. */
function failLink(errno: string, times = Number.POSITIVE_INFINITY): Partial<Disk> {
  let left = times;
  const linkSync = (existing: string, path: string): void => {
    left -= 1;
    if (left >= 0) throw Object.assign(new Error(errno), { code: errno });
    realDisk.linkSync(existing, path);
  };
  return { linkSync };
}

function release({ inodes, file }: Made, inode: LockInode | undefined): void {
  fs.rmSync(file);
  assert.ok(inode !== undefined);
  inodes.reuse(inode);
}

suite('a lock', () => {
  test('says its text from the beginning, and is there once', () => {
    const made = makeInodes();
    const inode = made.inodes.createLock(made.file, TEXT);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
    assert.equal(fs.statSync(made.file).ino, inode?.ino);
    assert.equal(made.inodes.createLock(made.file, 'owner 2 -\nr.lock\n'), undefined);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
  });

  test('is the same file again and again, and no lock at a time shares its file', () => {
    const made = makeInodes();
    for (let round = 0; round < 100; round += 1)
      release(made, made.inodes.createLock(made.file, TEXT));
    assert.equal(made.listOwn().length, 1);
    const files = ['a', 'b', 'c'].map((name) => join(made.folder, `${name}.lock`));
    const inodes = files.map((file) => made.inodes.createLock(file, TEXT));
    assert.equal(new Set(inodes.map((inode) => inode?.ino)).size, 3);
    assert.equal(made.listOwn().length, 3);
  });

  test('that is another’s costs no file', () => {
    const made = makeInodes();
    fs.writeFileSync(made.file, 'mine!');
    for (let round = 0; round < 10; round += 1) {
      assert.equal(made.inodes.createLock(made.file, TEXT), undefined);
    }
    assert.equal(made.listOwn().length, 1);
  });

  test('of a network’s file system is a file of its own: hosts may see what stood there before', () => {
    const made = makeInodes({ statfsSync: () => ({ type: 0x6969 }) });
    const inodes = ['a', 'b'].map((name) =>
      made.inodes.createLock(join(made.folder, `${name}.lock`), TEXT),
    );
    assert.equal(new Set(inodes.map((inode) => inode?.ino)).size, 2);
    assert.deepEqual(made.listOwn(), []);
  });

  test('of a file system without links is a file of its own', () => {
    for (const errno of ['EPERM', 'ENOTSUP', 'EMLINK', 'EXDEV']) {
      const made = makeInodes(failLink(errno));
      for (let round = 0; round < 3; round += 1) {
        const inode = made.inodes.createLock(made.file, TEXT);
        assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
        assert.equal(made.inodes.createLock(made.file, TEXT), undefined);
        release(made, inode);
      }
      assert.deepEqual(made.listOwn(), []);
    }
  });

  test('of a file system without links and without space leaves nothing', () => {
    const made = makeInodes({ ...failLink('EPERM'), writeSync: (_, bytes) => bytes.length - 1 });
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'ENOSPC' });
    assert.deepEqual(fs.readdirSync(made.folder), []);
  });

  test('of a file system that takes nothing, not even a removal, leaves no handle open', () => {
    const closed: number[] = [];
    const made = makeInodes({
      ...failLink('EPERM'),
      writeSync: () => 0,
      unlinkSync: () => {
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      },
      closeSync: (fd) => {
        closed.push(fd);
        realDisk.closeSync(fd);
      },
    });
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'ENOSPC' });
    assert.equal(closed.length, 1);
  });
});

suite('a file', () => {
  test('is given up where nobody knows what became of its link', () => {
    const made = makeInodes(failLink('EIO', 1));
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'EIO' });
    assert.deepEqual(made.listOwn(), []);
    release(made, made.inodes.createLock(made.file, TEXT));
  });

  test('whose name a sweep took is replaced', () => {
    const made = makeInodes();
    release(made, made.inodes.createLock(made.file, TEXT));
    const [before] = made.listOwn();
    fs.rmSync(join(made.folder, before!));
    release(made, made.inodes.createLock(made.file, TEXT));
    assert.equal(made.listOwn().length, 1);
    assert.notEqual(made.listOwn()[0], before);
  });

  test('whose name is a copy’s, as the folder was put back, is replaced', () => {
    const made = makeInodes();
    release(made, made.inodes.createLock(made.file, 'owner 1 0000000000000005\nr.lock\n'));
    const own = join(made.folder, made.listOwn()[0]!);
    fs.copyFileSync(own, `${own}~`);
    fs.renameSync(`${own}~`, own);
    const inode = made.inodes.createLock(made.file, TEXT);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
    assert.equal(fs.statSync(made.file).ino, inode?.ino);
  });

  test('is not made where its folder is gone: the system’s error says so', () => {
    const made = makeInodes();
    release(made, made.inodes.createLock(made.file, TEXT));
    fs.rmSync(made.folder, { recursive: true });
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'ENOENT' });
  });

  test('that is given up is written to no more: its lock may still be there', () => {
    const made = makeInodes();
    const inode = made.inodes.createLock(made.file, TEXT);
    made.inodes.discard(inode!);
    assert.deepEqual(made.listOwn(), []);
    assert.notEqual(made.inodes.createLock(join(made.folder, 'other.lock'), 'owner 2'), undefined);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
  });

  test('is removed when all is over, a late one too', () => {
    const made = makeInodes();
    const late = made.inodes.createLock(join(made.folder, 'late.lock'), TEXT);
    release(made, made.inodes.createLock(made.file, TEXT));
    made.inodes.close();
    assert.equal(made.listOwn().length, 1);
    made.inodes.reuse(late!);
    assert.deepEqual(made.listOwn(), []);
  });
});
