// The inodes behind a process's locks: made once, linked again and again, given up if in doubt.
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
  /** The names of the inodes that the process keeps. */
  listOwn(): string[];
}

function makeInodes(disk: Partial<Disk> = {}): Made {
  const folder = makeTempFolder('inodes');
  const statfsSync = () => ({ type: 0xef53 });
  const inodes = new LockInodes(folder, 'owner', { ...realDisk, statfsSync, ...disk });
  const listOwn = (): string[] => fs.readdirSync(folder).filter((name) => name.endsWith('.own'));
  return { folder, file: join(folder, 'r.lock'), inodes, listOwn };
}

/** A disk whose links fail, some times or always. */
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
  test('has its record from its first moment on, and is made once', () => {
    const made = makeInodes();
    const inode = made.inodes.createLock(made.file, TEXT);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
    assert.equal(fs.statSync(made.file).ino, inode?.ino);
    assert.equal(made.inodes.createLock(made.file, 'owner 2 -\nr.lock\n'), undefined);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
  });

  test('has the same inode again and again, and never that of another lock at the same time', () => {
    const made = makeInodes();
    for (let round = 0; round < 100; round += 1)
      release(made, made.inodes.createLock(made.file, TEXT));
    assert.equal(made.listOwn().length, 1);
    const files = ['a', 'b', 'c'].map((name) => join(made.folder, `${name}.lock`));
    const inodes = files.map((file) => made.inodes.createLock(file, TEXT));
    assert.equal(new Set(inodes.map((inode) => inode?.ino)).size, 3);
    assert.equal(made.listOwn().length, 3);
  });

  test('that another owner holds costs no inode', () => {
    const made = makeInodes();
    fs.writeFileSync(made.file, 'mine!');
    for (let round = 0; round < 10; round += 1) {
      assert.equal(made.inodes.createLock(made.file, TEXT), undefined);
    }
    assert.equal(made.listOwn().length, 1);
  });

  test('on a network file system is a file of its own: hosts may be shown an earlier record', () => {
    const made = makeInodes({ statfsSync: () => ({ type: 0x6969 }) });
    const inodes = ['a', 'b'].map((name) =>
      made.inodes.createLock(join(made.folder, `${name}.lock`), TEXT),
    );
    assert.equal(new Set(inodes.map((inode) => inode?.ino)).size, 2);
    assert.deepEqual(made.listOwn(), []);
  });

  test('on a file system without links is a file of its own', () => {
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

  test('on a file system without links and without space leaves nothing', () => {
    const made = makeInodes({ ...failLink('EPERM'), writeSync: (_, bytes) => bytes.length - 1 });
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'ENOSPC' });
    assert.deepEqual(fs.readdirSync(made.folder), []);
  });

  test('on a file system that refuses everything, even removals, leaves no descriptor open', () => {
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

suite('an inode', () => {
  test('is given up if its link may have been made although it failed', () => {
    const made = makeInodes(failLink('EIO', 1));
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'EIO' });
    assert.deepEqual(made.listOwn(), []);
    release(made, made.inodes.createLock(made.file, TEXT));
  });

  test('whose own name a sweep removed is replaced', () => {
    const made = makeInodes();
    release(made, made.inodes.createLock(made.file, TEXT));
    const [before] = made.listOwn();
    fs.rmSync(join(made.folder, before!));
    release(made, made.inodes.createLock(made.file, TEXT));
    assert.equal(made.listOwn().length, 1);
    assert.notEqual(made.listOwn()[0], before);
  });

  test('whose own name leads to a copy, as the folder was put back, is replaced', () => {
    const made = makeInodes();
    release(made, made.inodes.createLock(made.file, 'owner 1 0000000000000005\nr.lock\n'));
    const own = join(made.folder, made.listOwn()[0]!);
    fs.copyFileSync(own, `${own}~`);
    fs.renameSync(`${own}~`, own);
    const inode = made.inodes.createLock(made.file, TEXT);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
    assert.equal(fs.statSync(made.file).ino, inode?.ino);
  });

  test('can’t be made if its folder is gone: the system’s error says so', () => {
    const made = makeInodes();
    release(made, made.inodes.createLock(made.file, TEXT));
    fs.rmSync(made.folder, { recursive: true });
    assert.throws(() => made.inodes.createLock(made.file, TEXT), { code: 'ENOENT' });
  });

  test('that is given up is never written to again: its lock may still be there', () => {
    const made = makeInodes();
    const inode = made.inodes.createLock(made.file, TEXT);
    made.inodes.discard(inode!);
    assert.deepEqual(made.listOwn(), []);
    assert.notEqual(made.inodes.createLock(join(made.folder, 'other.lock'), 'owner 2'), undefined);
    assert.equal(fs.readFileSync(made.file, 'latin1'), TEXT);
  });

  test('is removed by close, or when its lock is released later', () => {
    const made = makeInodes();
    const late = made.inodes.createLock(join(made.folder, 'late.lock'), TEXT);
    release(made, made.inodes.createLock(made.file, TEXT));
    made.inodes.close();
    assert.equal(made.listOwn().length, 1);
    made.inodes.reuse(late!);
    assert.deepEqual(made.listOwn(), []);
  });
});
