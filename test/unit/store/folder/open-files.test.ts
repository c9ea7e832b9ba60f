// The open files of rooms: kept while nobody touches them, opened anew as soon as somebody does.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { mock, suite, test } from 'node:test';
import { type Disk, realDisk, type Stat } from '../../../../lib/disk/disk.ts';
import { MAX_KEPT_FILES, OpenFiles } from '../../../../lib/store/folder/open-files.ts';
import { makeTempFolder } from '../../../support/paths.ts';

const EXT4 = 0xef53;
const NFS = 0x6969;

/** What the disk says of a path, past what it is. */
type Twist = (stat: Stat) => Partial<Stat>;

interface Made {
  folder: string;
  file: string;
  files: OpenFiles;
  opened: string[];
  /** Handles that are open now. */
  open: Set<number>;
}

function makeFiles(type = EXT4, twist: Twist = () => ({})): Made {
  const folder = makeTempFolder('room-files');
  const opened: string[] = [];
  const open = new Set<number>();
  const disk: Disk = {
    ...realDisk,
    statfsSync: () => ({ type }),
    statSync: (path, options) => {
      const stat = realDisk.statSync(path, options);
      return stat && Object.assign(stat, twist(stat));
    },
    openSync: (path, flags, mode) => {
      const fd = realDisk.openSync(path, flags, mode);
      opened.push(path);
      open.add(fd);
      return fd;
    },
    closeSync: (fd) => {
      open.delete(fd);
      realDisk.closeSync(fd);
    },
  };
  return { folder, file: join(folder, 'r.txt'), files: new OpenFiles(folder, disk), opened, open };
}

/** One batch, as an append makes it. */
function append({ files, file }: Made, line = 'line\n', path = file): string | undefined {
  const room = files.open(path);
  assert.equal(room.state.size, fs.statSync(path).size);
  fs.writeSync(room.fd, line);
  files.keep(path, room, fs.statSync(path), 'epoch');
  return room.epoch;
}

function writeOver(file: string): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, 'LINE', 0);
  fs.closeSync(fd);
}

suite('a room’s file', () => {
  test('is made where there is none, and opened once for all batches', () => {
    const made = makeFiles();
    assert.equal(append(made), undefined);
    for (let batch = 0; batch < 20; batch += 1) assert.equal(append(made), 'epoch');
    assert.equal(fs.readFileSync(made.file, 'utf8'), 'line\n'.repeat(21));
    assert.equal(made.opened.length, 1);
    made.files.close();
    assert.equal(made.open.size, 0);
  });

  const writers: Record<string, (file: string) => void> = {
    'appended by hand': (file) => fs.appendFileSync(file, 'by hand'),
    'cut it': (file) => fs.truncateSync(file, 3),
    'wrote over it in place': writeOver,
  };
  for (const [what, write] of Object.entries(writers)) {
    test(`is read anew where somebody ${what}`, () => {
      const made = makeFiles();
      append(made);
      append(made);
      write(made.file);
      const text = fs.readFileSync(made.file, 'utf8');
      assert.equal(append(made), undefined);
      assert.equal(fs.readFileSync(made.file, 'utf8'), `${text}line\n`);
      assert.equal(append(made), 'epoch');
      assert.equal(made.opened.length, 1);
      made.files.close();
    });
  }

  const hands: Record<string, (file: string) => void> = {
    'somebody removed it': (file) => fs.rmSync(file),
    'an editor replaced it by its like': (file) => {
      fs.copyFileSync(file, `${file}~`);
      fs.renameSync(`${file}~`, file);
    },
    'somebody wrote over it in place and hid that': (file) => {
      writeOver(file);
      fs.utimesSync(file, 1, 1);
    },
    'its mode was changed': (file) => {
      // A clock that ticks every few milliseconds gives the time of the change.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      fs.chmodSync(file, 0o600);
    },
  };
  for (const [what, touch] of Object.entries(hands)) {
    test(`is opened anew where ${what}`, () => {
      const made = makeFiles();
      append(made);
      append(made);
      touch(made.file);
      const text = fs.existsSync(made.file) ? fs.readFileSync(made.file, 'utf8') : '';
      assert.equal(append(made), undefined);
      assert.equal(made.opened.length, 2);
      assert.equal(fs.readFileSync(made.file, 'utf8'), `${text}line\n`);
      assert.equal(append(made), 'epoch');
      assert.equal(made.open.size, 1);
      made.files.close();
    });
  }

  test('is closed if its state after the batch is not known', () => {
    const made = makeFiles();
    append(made);
    made.files.drop(made.files.open(made.file));
    assert.equal(made.open.size, 0);
    assert.equal(append(made), undefined);
    made.files.close();
  });

  test('is opened for every batch where other hosts may write to it', () => {
    const made = makeFiles(NFS);
    for (let batch = 0; batch < 5; batch += 1) assert.equal(append(made), undefined);
    assert.equal(made.opened.length, 5);
    assert.equal(made.open.size, 0);
    made.files.close();
  });

  test('is opened anew where its mode was changed, though no clock shows it', () => {
    let mode: { mode?: number } = {};
    const made = makeFiles(EXT4, ({ size }) => (size > 0 ? mode : {}));
    append(made);
    assert.equal(append(made), 'epoch');
    mode = { mode: 0o100444 };
    assert.equal(append(made), undefined);
    made.files.close();
  });

  test('is not kept on another device than its folder’s', () => {
    const made = makeFiles(EXT4, (stat) => (stat.isFile() ? {} : { dev: stat.dev + 1 }));
    for (let batch = 0; batch < 5; batch += 1) assert.equal(append(made), undefined);
    assert.equal(made.open.size, 0);
    made.files.close();
  });

  test('is not kept where the folder’s device can’t be told', () => {
    const made = makeFiles(EXT4, (stat) => {
      if (!stat.isFile()) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return {};
    });
    for (let batch = 0; batch < 5; batch += 1) assert.equal(append(made), undefined);
    assert.equal(made.open.size, 0);
    made.files.close();
  });

  test('is closed after a batch that ends after all were', () => {
    const made = makeFiles();
    const room = made.files.open(made.file);
    made.files.close();
    made.files.keep(made.file, room, room.state, 'epoch');
    assert.equal(made.open.size, 0);
  });

  test('can’t be opened where it is a folder, and nothing stays open', () => {
    const made = makeFiles();
    fs.mkdirSync(made.file);
    assert.throws(() => made.files.open(made.file), { code: 'unavailable' });
    assert.equal(made.open.size, 0);
    made.files.close();
  });
});

test('of many rooms the ones written to last are kept', () => {
  const made = makeFiles();
  const paths = Array.from({ length: MAX_KEPT_FILES + 1 }, (_, n) => join(made.folder, `${n}.txt`));
  for (const path of paths) append(made, 'line\n', path);
  assert.equal(made.open.size, MAX_KEPT_FILES);
  assert.equal(append(made, 'line\n', paths[1]), 'epoch');
  assert.equal(append(made, 'line\n', paths[0]), undefined);
  assert.equal(append(made, 'line\n', paths[1]), 'epoch');
  assert.equal(append(made, 'line\n', paths[2]), undefined);
  made.files.close();
  assert.equal(made.open.size, 0);
});

test('a room that nobody writes to is closed after a while', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  const made = makeFiles();
  append(made);
  mock.timers.tick(5000);
  assert.equal(append(made), 'epoch', 'it was written to a moment ago');
  mock.timers.tick(5000);
  assert.equal(made.open.size, 1);
  mock.timers.tick(5000);
  assert.equal(made.open.size, 0);
  assert.equal(append(made), undefined);
  made.files.close();
  mock.timers.reset();
});
