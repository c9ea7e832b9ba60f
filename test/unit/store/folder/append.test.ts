// The append on a real folder: whole batches, true cursors, and what other hands do meanwhile.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../../lib/disk/disk.ts';
import { syncFolder } from '../../../../lib/disk/durability.ts';
import { ServiceError } from '../../../../lib/errors.ts';
import type { HeldLock } from '../../../../lib/lock/held-lock.ts';
import { toEpoch } from '../../../../lib/room/cursor.ts';
import { parseLine } from '../../../../lib/room/message.ts';
import {
  type AppendOptions,
  appendBytes,
  appendMessages,
} from '../../../../lib/store/folder/append.ts';
import type { Receipt } from '../../../../lib/store/store.ts';
import { need } from '../../../support/need.ts';
import { makeTempFolder } from '../../../support/paths.ts';

const folder = makeTempFolder('append');
let made = 0;

/** What other hands do at each moment of an append. */
interface Hooks {
  /** Between the stat and the write. */
  onPublish?: (committedBytes: number) => void;
  /** Between the sync and the check where the batch stands. */
  onSync?: () => void;
  isHeld?: () => boolean;
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

function append(
  file: string,
  messages: string[],
  hooks: Hooks = {},
  done = toDone(),
): Promise<Done> {
  const posts = messages.map((message) => ({
    entry: { username: 'omri', message },
    since: undefined,
  }));
  return work(hooks, done, async (lock, options) => {
    done.receipts = (await appendMessages(file, lock, posts, options)) as Receipt[];
    return done;
  });
}

function extend(
  file: string,
  offset: number,
  text: string,
  hooks: Hooks = {},
  done = toDone(),
): Promise<boolean> {
  return work(hooks, done, (lock, options) =>
    appendBytes(file, lock, offset, Buffer.from(text), options),
  );
}

async function work<T>(
  hooks: Hooks,
  done: Done,
  run: (lock: HeldLock, options: AppendOptions) => Promise<T>,
): Promise<T> {
  const lock: HeldLock = {
    publish: (committedBytes) => {
      done.published.push(committedBytes);
      hooks.onPublish?.(committedBytes);
    },
    isHeld: hooks.isHeld ?? (() => true),
    release: async () => {},
  };
  const { disk = realDisk, durable: isDurable = true } = hooks;
  const options: AppendOptions = {
    disk,
    sync: {
      sync: async ({ fd, before }) => {
        if (!isDurable) return;
        await disk.fdatasync(fd);
        if (before.size === 0) await syncFolder(folder, disk, () => undefined);
        hooks.onSync?.();
      },
      syncTruncation: ({ fd }) => disk.fdatasync(fd).catch(() => undefined),
    },
    onLeftover: (error) => done.leftovers.push(error),
  };
  return run(lock, options);
}

function toDone(): Done {
  return { receipts: [], published: [], leftovers: [] };
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
      assert.equal(published.length, 2, 'the committed offset is published again');
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

suite('bytes that are appended as they are', () => {
  test('begin a room, and go on where it ends', async () => {
    const file = nameRoom();
    assert.ok(await extend(file, 0, 'no message\nhalf'));
    assert.ok(await extend(file, 15, ' and half\n'));
    assert.equal(readText(file), 'no message\nhalf and half\n');
  });

  test('make an empty room where there are none', async () => {
    const file = nameRoom();
    assert.ok(await extend(file, 0, ''));
    assert.equal(readText(file), '');
  });

  test('are not added to a room of another size', async () => {
    const file = nameRoom('one\n');
    for (const offset of [0, 3, 5]) assert.equal(await extend(file, offset, 'x'), false);
    assert.equal(readText(file), 'one\n');
  });

  test('are not taken for added where somebody writes meanwhile', async () => {
    const file = nameRoom('one\n');
    const onPublish = () => fs.appendFileSync(file, 'two\n');
    assert.equal(await extend(file, 4, 'three\n', { onPublish }), false);
  });

  test('are taken back where the disk is full or the sync fails', async () => {
    const fdatasync = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
    for (const [disk, code] of [
      [makeShortDisk(5), 'ENOSPC'],
      [{ ...realDisk, fdatasync }, 'EIO'],
    ] as const) {
      const file = nameRoom('one\n');
      await assert.rejects(extend(file, 4, 'two\nthree\n', { disk }), { code });
      assert.equal(readText(file), 'one\n');
    }
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
    await assert.rejects(append(directory, ['mine']), isUnavailable);
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
    test(`after ${takenBytes} bytes is truncated: no part of the batch stays`, async () => {
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
    let truncateCount = 0;
    const disk = makeShortDisk(10, {
      writeSync: (fd, bytes) => {
        const written = realDisk.writeSync(fd, bytes.subarray(0, 10));
        fs.appendFileSync(file, 'theirs\n');
        return written;
      },
      ftruncateSync: () => {
        truncateCount += 1;
      },
    });
    await assert.rejects(append(file, ['one'], { disk }, done), { code: 'ENOSPC' });
    assert.equal(truncateCount, 0);
    assert.equal(done.leftovers.length, 1);
    assert.match(readText(file), /^first\n.{10}theirs\n$/);
  });

  test('stays where the lock was lost meanwhile: the next owner may have written', async () => {
    const file = nameRoom('first\n');
    const done = toDone();
    let checks = 0;
    const isHeld = () => {
      checks += 1;
      return checks === 1;
    };
    const disk = makeShortDisk(10);
    await assert.rejects(append(file, ['one'], { isHeld, disk }, done), { code: 'ENOSPC' });
    assert.equal(done.leftovers.length, 1);
    assert.equal(fs.statSync(file).size, 16);
  });

  test('is truncated after all, where the first check of the lock fails', async () => {
    const file = nameRoom('first\n');
    const done = toDone();
    let checks = 0;
    const isHeld = () => {
      checks += 1;
      if (checks === 2) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return true;
    };
    const disk = makeShortDisk(10);
    await assert.rejects(append(file, ['one'], { isHeld, disk }, done), { code: 'ENOSPC' });
    assert.equal(checks, 3);
    assert.equal(readText(file), 'first\n');
    assert.deepEqual(done.leftovers, []);
  });

  test('is truncated again, where that fails', async () => {
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
