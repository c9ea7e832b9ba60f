// The append on a real folder: whole batches, true cursors, and what other hands do meanwhile.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../../lib/disk/disk.ts';
import { ServiceError } from '../../../../lib/errors.ts';
import type { HeldLock } from '../../../../lib/lock/held-lock.ts';
import { toEpoch } from '../../../../lib/room/cursor.ts';
import { parseLine } from '../../../../lib/room/message.ts';
import { type AppendOptions, appendBatch } from '../../../../lib/store/folder/append.ts';
import { OpenFiles } from '../../../../lib/store/folder/open-files.ts';
import type { Receipt } from '../../../../lib/store/store.ts';
import { need } from '../../../support/need.ts';
import { makeTempFolder } from '../../../support/paths.ts';

const folder = makeTempFolder('append');
let made = 0;

/** What other hands do at each moment of an append. */
interface Hooks {
  /** Between the look at the size and the write. */
  onPublish?: (committedBytes: number) => void;
  /** Between the sync and the look whether the batch stands where it should. */
  onSync?: () => void;
  /** Told the receipts that the batch will most likely have. */
  onExpected?: (expected: readonly Receipt[]) => void;
  isHeld?: () => boolean;
  /** The files that stay open from one append to the next. */
  files?: OpenFiles;
  durable?: boolean;
  disk?: Disk;
}

interface Done {
  receipts: Receipt[];
  published: number[];
  leftovers: unknown[];
}

function nameRoom(text?: string | Buffer): string {
  made += 1;
  const file = join(folder, `room${made}.txt`);
  if (text !== undefined) fs.writeFileSync(file, text);
  return file;
}

async function append(
  file: string,
  messages: string[],
  hooks: Hooks = {},
  done = toDone(),
): Promise<Done> {
  const lock: HeldLock = {
    publish: (committedBytes) => {
      done.published.push(committedBytes);
      hooks.onPublish?.(committedBytes);
    },
    isHeld: hooks.isHeld ?? (() => true),
    release: async () => undefined,
  };
  const files = hooks.files ?? new OpenFiles(folder, hooks.disk ?? realDisk);
  const options: AppendOptions = {
    files,
    durable: hooks.durable ?? true,
    onSync: () => hooks.onSync?.(),
    onExpected: (expected) => hooks.onExpected?.(expected),
    onUnsyncable: (error) => assert.fail(error as Error),
    onLeftover: (error) => done.leftovers.push(error),
    ...(hooks.disk === undefined ? {} : { disk: hooks.disk }),
  };
  const entries = messages.map((message) => ({ username: 'omri', message }));
  try {
    done.receipts = await appendBatch(file, lock, entries, options);
  } finally {
    if (hooks.files === undefined) files.close();
  }
  return done;
}

function toDone(): Done {
  return { receipts: [], published: [], leftovers: [] };
}

/** Writes over a part of a file in place. */
function overwrite(file: string, text: string, at = 0): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, text, at);
  fs.closeSync(fd);
}

const readText = (file: string) => fs.readFileSync(file, 'utf8');

/** Holds each receipt against the file: its line ends just at its cursor, in the room's epoch. */
function checkReceipts(file: string, receipts: Receipt[]): void {
  const bytes = fs.readFileSync(file);
  assert.ok(receipts.length > 0);
  for (const { line, cursor } of receipts) {
    const [epoch, offset] = cursor.split('-') as [string, string];
    assert.equal(epoch, toEpoch(bytes));
    const length = Buffer.byteLength(line);
    const start = Number(offset) - length;
    assert.equal(bytes.toString('utf8', start, Number(offset)), line);
    assert.ok(start === 0 || bytes[start - 1] === 0x0a, 'a line of its own');
    assert.ok(parseLine(line) !== undefined);
  }
}

suite('a batch', () => {
  test('begins a room, in order, with the cursor after each line', async () => {
    const file = nameRoom();
    const { receipts, published } = await append(file, ['one', 'שתיים 🦊', 'three']);
    assert.equal(receipts.map(({ line }) => line).join(''), readText(file));
    assert.match(receipts[1]!.line, /\] omri: שתיים 🦊\n$/);
    assert.deepEqual(published, [0]);
    checkReceipts(file, receipts);
  });

  test('goes on where the room ends', async () => {
    const file = nameRoom('by hand\n');
    const { receipts, published } = await append(file, ['one']);
    assert.equal(readText(file), `by hand\n${receipts[0]!.line}`);
    assert.deepEqual(published, [8]);
    checkReceipts(file, receipts);
  });

  for (const tail of ['half', 'one\nhalf', '[2018-02-25 14:00:51] omri: torn', 'crlf\r']) {
    test(`stands on a line of its own after ${JSON.stringify(tail)}`, async () => {
      const file = nameRoom(tail);
      const { receipts, published } = await append(file, ['one', 'two']);
      assert.equal(readText(file), `${tail}\n${receipts.map(({ line }) => line).join('')}`);
      assert.deepEqual(published, [tail.length]);
      checkReceipts(file, receipts);
    });
  }

  test('is a file that others may read', async () => {
    const file = nameRoom();
    await append(file, ['one']);
    assert.equal(fs.statSync(file).mode & 0o444, 0o444 & ~process.umask());
  });

  test('is synced once where it has to be durable, and not at all where it has not', async () => {
    let syncCount = 0;
    const onSync = () => {
      syncCount += 1;
    };
    await append(nameRoom(), ['one', 'two'], { onSync });
    assert.equal(syncCount, 1);
    await append(nameRoom(), ['one', 'two'], { onSync, durable: false });
    assert.equal(syncCount, 1);
  });
});

suite('other hands in the middle of an append', () => {
  test('append whole lines before it: the cursor is after its own line all the same', async () => {
    const file = nameRoom('first\n');
    const { receipts } = await append(file, ['mine'], {
      onPublish: () => fs.appendFileSync(file, 'theirs\n'),
    });
    assert.equal(readText(file), `first\ntheirs\n${receipts[0]!.line}`);
    checkReceipts(file, receipts);
  });

  test('append behind it: the cursor is after its own line all the same', async () => {
    const file = nameRoom('first\n');
    const { receipts } = await append(file, ['mine'], {
      onSync: () => fs.appendFileSync(file, 'theirs\nhalf'),
    });
    assert.equal(readText(file), `first\n${receipts[0]!.line}theirs\nhalf`);
    checkReceipts(file, receipts);
  });

  test('append half a line before it: it is written again, on a line of its own', async () => {
    const file = nameRoom('first\n');
    let isFirst = true;
    const { receipts } = await append(file, ['mine'], {
      onPublish: () => {
        if (isFirst) fs.appendFileSync(file, 'half');
        isFirst = false;
      },
    });
    checkReceipts(file, receipts);
    const lines = readText(file).split('\n');
    assert.equal(
      lines.filter((line) => `${line}\n` === receipts[0]!.line).length,
      1,
      'once as a line',
    );
  });

  test('finish the last line before it: no harm is done', async () => {
    const file = nameRoom('half');
    let isFirst = true;
    const { receipts } = await append(file, ['mine'], {
      onPublish: () => {
        if (isFirst) fs.appendFileSync(file, ' whole\n');
        isFirst = false;
      },
    });
    checkReceipts(file, receipts);
  });

  const changes: Record<string, (file: string) => void> = {
    'replace the room, as editors do': (file) => {
      fs.writeFileSync(`${file}.new`, 'from an editor\n');
      fs.renameSync(`${file}.new`, file);
    },
    'rename it away': (file) => fs.renameSync(file, `${file}.old`),
    'remove it': (file) => fs.rmSync(file),
    'empty it': (file) => fs.truncateSync(file),
    'cut the batch in half': (file) => fs.truncateSync(file, fs.statSync(file).size - 5),
    'write over it in place': (file) => fs.writeFileSync(file, 'shorter, by hand'),
  };
  for (const [what, change] of Object.entries(changes)) {
    test(`${what}: the message is in the room after the answer, once as a line`, async () => {
      const file = nameRoom('first line that is long enough\n');
      let isFirst = true;
      const onSync = () => {
        if (isFirst) change(file);
        isFirst = false;
      };
      const { receipts, published } = await append(file, ['mine'], { onSync });
      checkReceipts(file, receipts);
      assert.equal(readText(file).split(receipts[0]!.line).length, 2);
      assert.equal(published.length, 2, 'the base is told anew');
    });
  }

  test('replace it again and again: it is refused, not promised', async () => {
    const file = nameRoom('first\n');
    const onSync = () => {
      fs.writeFileSync(`${file}.new`, 'from an editor\n');
      fs.renameSync(`${file}.new`, file);
    };
    await assert.rejects(
      append(file, ['mine'], { onSync }),
      (error) => error instanceof ServiceError && error.code === 'unavailable',
    );
    assert.equal(readText(file), 'from an editor\n');
  });
});

suite('a room whose file is still open', () => {
  const files = new OpenFiles(folder, { ...realDisk, statfsSync: () => ({ type: 0xef53 }) });
  after(() => files.close());

  /** An append, and what was expected of it while the disk was at it. */
  async function follow(file: string, messages: string[], hooks: Hooks = {}) {
    let expected: readonly Receipt[] = [];
    let isSynced = false;
    const { receipts } = await append(file, messages, {
      ...hooks,
      files,
      onExpected: (early) => {
        assert.ok(!isSynced, 'told after the sync');
        expected = early;
      },
      onSync: () => {
        isSynced = true;
        hooks.onSync?.();
      },
    });
    checkReceipts(file, receipts);
    return { receipts, expected };
  }

  test('tells the receipts before the disk is done, and they come true', async () => {
    const file = nameRoom('first\n');
    assert.deepEqual((await follow(file, ['one'])).expected, [], 'nothing is known of it yet');
    for (const messages of [['two', 'three'], ['four']]) {
      const { receipts, expected } = await follow(file, messages);
      assert.equal(receipts, expected);
    }
  });

  test('gives others where somebody wrote behind the batch, or put another file there', async () => {
    const deeds: ((file: string) => void)[] = [
      (file) => fs.appendFileSync(file, 'by hand\n'),
      (file) => {
        fs.writeFileSync(`${file}~`, 'another first line\nand more\n');
        fs.renameSync(`${file}~`, file);
      },
      (file) => fs.writeFileSync(file, `another first line\n${readText(file)}`),
      (file) => overwrite(file, 'FIRST'),
    ];
    for (const onSync of deeds) {
      const file = nameRoom('first\n');
      await follow(file, ['one']);
      let isDone = false;
      const once = (): void => {
        if (!isDone) onSync(file);
        isDone = true;
      };
      const { receipts, expected } = await follow(file, ['two'], { onSync: once });
      assert.notEqual(receipts, expected);
      assert.equal(parseLine(receipts[0]!.line)?.message, 'two');
      await follow(file, ['three']);
    }
  });

  test('is opened anew after a batch during which somebody changed it and its size stayed', async () => {
    const file = nameRoom('first\n');
    await follow(file, ['one']);
    // Between the write and the look after the sync.
    await follow(file, ['two'], { onSync: () => overwrite(file, 'FIRST') });
    assert.deepEqual((await follow(file, ['three'])).expected, []);
    await follow(file, ['four'], { onSync: () => overwrite(file, '?', fs.statSync(file).size - 1) })
      // Its own line has lost its end by then.
      .catch(() => undefined);
    await append(file, ['five'], { files });
    assert.match(readText(file), /omri: four\?\n\[[^\n]+ omri: five\n$/);
  });

  test('is opened anew after a batch during which its mode was changed', async () => {
    const file = nameRoom('first\n');
    await follow(file, ['one']);
    await follow(file, ['two'], { onSync: () => fs.chmodSync(file, 0o444) });
    assert.deepEqual((await follow(file, ['three'])).expected, []);
  });

  test('tells nothing where there is no disk to wait for', async () => {
    const file = nameRoom('first\n');
    await follow(file, ['one']);
    assert.deepEqual((await follow(file, ['two'], { durable: false })).expected, []);
  });

  test('gets its gap where somebody left a line without an end', async () => {
    const file = nameRoom('first\n');
    await follow(file, ['one']);
    fs.appendFileSync(file, 'no end');
    const { receipts } = await follow(file, ['two']);
    assert.ok(readText(file).endsWith(`no end\n${receipts[0]!.line}`));
  });

  test('is not trusted after a batch that failed', async () => {
    const file = nameRoom('first\n');
    await follow(file, ['one']);
    const isHeld = (): boolean => false;
    await assert.rejects(append(file, ['two'], { files, isHeld }), { code: 'unavailable' });
    assert.deepEqual((await follow(file, ['three'])).expected, []);
  });
});

suite('an append that can’t be made', () => {
  const isUnavailable = (error: unknown) =>
    error instanceof ServiceError && error.code === 'unavailable';

  test('writes nothing where its lock is lost', async () => {
    const file = nameRoom('first\n');
    await assert.rejects(append(file, ['mine'], { isHeld: () => false }), isUnavailable);
    assert.equal(readText(file), 'first\n');
  });

  test('is refused where the room is a folder or a pipe', { skip: need('linux') }, async () => {
    const directory = nameRoom();
    fs.mkdirSync(directory);
    await assert.rejects(append(directory, ['mine']), { code: 'EISDIR' });
    const pipe = nameRoom();
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    await assert.rejects(append(pipe, ['mine']), isUnavailable);
  });

  test('is refused where the folder is gone', async () => {
    await assert.rejects(append(join(folder, 'gone', 'room.txt'), ['mine']), { code: 'ENOENT' });
  });

  test('leaves no handle open', { skip: need('linux') }, async () => {
    const count = () => fs.readdirSync('/proc/self/fd').length;
    const before = count();
    for (let round = 0; round < 20; round += 1) {
      await assert.rejects(append(nameRoom('x'), ['m'], { isHeld: () => false }));
      await append(nameRoom('x'), ['m']);
    }
    assert.ok(count() <= before + 2, `${count()} handles after ${before}`);
  });
});

/** A disk whose writes take only so many bytes, as of one that fills up. */
function makeShortDisk(takenBytes: number, other: Partial<Disk> = {}): Disk {
  const writeSync = (fd: number, bytes: Buffer) =>
    realDisk.writeSync(fd, bytes.subarray(0, takenBytes));
  return { ...realDisk, writeSync, ...other };
}

suite('a write that is cut short', () => {
  for (const takenBytes of [0, 1, 20]) {
    test(`after ${takenBytes} bytes is cut back: no part of the batch stays`, async () => {
      const file = nameRoom('first\nhalf');
      const done = toDone();
      const disk = makeShortDisk(takenBytes);
      await assert.rejects(append(file, ['one', 'two'], { disk }, done), { code: 'ENOSPC' });
      assert.equal(readText(file), 'first\nhalf');
      assert.deepEqual(done.leftovers, []);
    });
  }

  test('stays where somebody wrote behind it, and that is told', async () => {
    const file = nameRoom('first\n');
    const done = toDone();
    let cutCount = 0;
    const disk = makeShortDisk(10, {
      writeSync: (fd, bytes) => {
        const written = realDisk.writeSync(fd, bytes.subarray(0, 10));
        fs.appendFileSync(file, 'theirs\n');
        return written;
      },
      ftruncateSync: () => {
        cutCount += 1;
      },
    });
    await assert.rejects(append(file, ['one'], { disk }, done), { code: 'ENOSPC' });
    assert.equal(cutCount, 0);
    assert.equal(done.leftovers.length, 1);
    assert.match(readText(file), /^first\n.{10}theirs\n$/);
  });

  test('stays where the lock was lost meanwhile: the next owner may have written', async () => {
    const file = nameRoom('first\n');
    const done = toDone();
    let looks = 0;
    const isHeld = () => {
      looks += 1;
      return looks === 1;
    };
    const disk = makeShortDisk(10);
    await assert.rejects(append(file, ['one'], { isHeld, disk }, done), { code: 'ENOSPC' });
    assert.equal(done.leftovers.length, 1);
    assert.equal(fs.statSync(file).size, 16);
  });

  test('is cut back after all, where the first look at the lock fails', async () => {
    const file = nameRoom('first\n');
    const done = toDone();
    let looks = 0;
    const isHeld = () => {
      looks += 1;
      if (looks === 2) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return true;
    };
    const disk = makeShortDisk(10);
    await assert.rejects(append(file, ['one'], { isHeld, disk }, done), { code: 'ENOSPC' });
    assert.equal(looks, 3);
    assert.equal(readText(file), 'first\n');
    assert.deepEqual(done.leftovers, []);
  });

  test('is tried to be cut back again, where that fails', async () => {
    const file = nameRoom('first\n');
    const done = toDone();
    let tries = 0;
    const disk = makeShortDisk(10, {
      ftruncateSync: (fd, size) => {
        tries += 1;
        if (tries < 3) throw Object.assign(new Error('EIO'), { code: 'EIO' });
        realDisk.ftruncateSync(fd, size);
      },
    });
    await assert.rejects(append(file, ['one'], { disk }, done), { code: 'ENOSPC' });
    assert.equal(tries, 3);
    assert.equal(readText(file), 'first\n');
    assert.deepEqual(done.leftovers, []);
  });
});

test('a sync that fails refuses the whole batch, and no part of it stays', async () => {
  const file = nameRoom('first\n');
  const fdatasync = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  const disk: Disk = { ...realDisk, fdatasync };
  await assert.rejects(append(file, ['one', 'two'], { disk }), { code: 'EIO' });
  assert.equal(readText(file), 'first\n');
});

test('a new room whose name can’t be made durable is refused, and stays empty', async () => {
  const file = nameRoom();
  const open: Disk['open'] = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  await assert.rejects(append(file, ['one'], { disk: { ...realDisk, open } }), { code: 'EIO' });
  assert.equal(readText(file), '');
});

test('a disk that is really full refuses the whole batch, and takes the next one when there is room', {
  skip: need('tmpfs'),
}, () => {
  const mountPoint = makeTempFolder('full');
  const modules = ['store/folder/append', 'store/folder/open-files', 'disk/disk'].map((name) =>
    JSON.stringify(new URL(`../../../../lib/${name}.js`, import.meta.url).href),
  );
  const script = `
    import fs from 'node:fs';
    const { appendBatch } = await import(${modules[0]});
    const { OpenFiles } = await import(${modules[1]});
    const { realDisk } = await import(${modules[2]});
    const file = process.argv[1] + '/room.txt';
    const lock = { publish() {}, isHeld: () => true, release() {} };
    const files = new OpenFiles(process.argv[1], realDisk);
    const options = { durable: true, files, onSync() {}, onLeftover(error) { throw error; } };
    const entries = Array.from({ length: 60 }, () => ({ username: 'a', message: 'm'.repeat(1000) }));
    fs.writeFileSync(file, 'first\\n');
    const codes = [];
    fs.writeFileSync(process.argv[1] + '/ballast', Buffer.alloc(32768));
    await appendBatch(file, lock, entries, options).catch(({ code }) => codes.push(code));
    const afterFull = fs.readFileSync(file, 'utf8');
    fs.rmSync(process.argv[1] + '/ballast');
    await appendBatch(file, lock, entries.slice(0, 5), options);
    const lines = fs.readFileSync(file, 'utf8').split('\\n').length - 1;
    console.log(JSON.stringify({ codes, afterFull, lines }));`;
  const command = `mount -t tmpfs -o size=64k chat-test "$0" && exec "$1" --input-type=module -e "$2" "$0"`;
  const args = ['-m', 'sh', '-c', command, mountPoint, process.execPath, script];
  const child = spawnSync('unshare', args, { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  assert.deepEqual(JSON.parse(child.stdout), { codes: ['ENOSPC'], afterFull: 'first\n', lines: 6 });
});
