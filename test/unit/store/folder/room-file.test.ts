// What is read from a room's file, and its chunks.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { readAt } from '../../../../lib/disk/files.ts';
import { ServiceError } from '../../../../lib/errors.ts';
import { EMPTY_EPOCH, toEpoch } from '../../../../lib/room/cursor.ts';
import {
  endsWithLf,
  findLastLineEnd,
  openToRead,
  readChunks,
  readEpoch,
} from '../../../../lib/store/folder/room-file.ts';
import { need } from '../../../support/need.ts';
import { makeTempFolder } from '../../../support/paths.ts';

const folder = makeTempFolder('bytes');
let made = 0;

function makeFile(bytes: string | Buffer): string {
  made += 1;
  const file = join(folder, `${made}.txt`);
  fs.writeFileSync(file, bytes);
  return file;
}

function withFile<T>(bytes: string | Buffer, read: (fd: number) => T): T {
  const fd = fs.openSync(makeFile(bytes), 'r');
  try {
    return read(fd);
  } finally {
    fs.closeSync(fd);
  }
}

suite('the end of a file', () => {
  test('is a break where the file is empty or its last byte is LF', () => {
    const cases: [string, boolean][] = [
      ['', true],
      ['\n', true],
      ['a\n', true],
      ['a', false],
      ['a\r', false],
      ['\na', false],
    ];
    for (const [text, isBreak] of cases) {
      assert.equal(
        withFile(text, (fd) => endsWithLf(fd, text.length)),
        isBreak,
        JSON.stringify(text),
      );
    }
    assert.ok(
      withFile('a\nb', (fd) => endsWithLf(fd, 2)),
      'up to the size that counts',
    );
    assert.ok(!withFile('a', (fd) => endsWithLf(fd, 2)), 'not where the file has been cut');
  });

  test('has its last break found, however far back it is', () => {
    for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
      const tail = 'x'.repeat(length);
      assert.equal(
        withFile(`one\n${tail}`, (fd) => findLastLineEnd(fd, 4 + length)),
        4,
        String(length),
      );
      assert.equal(
        withFile(tail, (fd) => findLastLineEnd(fd, length)),
        0,
        `none before ${length}`,
      );
    }
    assert.equal(
      withFile('one\ntwo\nthree', (fd) => findLastLineEnd(fd, 7)),
      4,
      'before the size that counts',
    );
  });
});

suite('the epoch of a file', () => {
  test('is that of its text, wherever the first line ends', () => {
    const line = '[2018-02-25 14:00:51] omri: hi\n';
    const ends = [0, 1, 1022, 1023, 1024, 1025, 65_534, 65_535, 65_536, 70_000];
    const texts = [
      ...ends.map((end) => `${'x'.repeat(end)}\nmore`),
      '',
      'half',
      'x'.repeat(1024),
      'x'.repeat(70_000),
      line,
    ];
    for (const text of texts) {
      assert.equal(withFile(text, readEpoch), toEpoch(Buffer.from(text)), `${text.length} bytes`);
    }
    assert.equal(withFile('half', readEpoch), EMPTY_EPOCH);
  });
});

test('a part of a file is read whole, and cut at the file’s end', () => {
  withFile('0123456789', (fd) => {
    assert.equal(readAt(fd, 2, 3).toString(), '234');
    assert.equal(readAt(fd, 8, 5).toString(), '89');
    assert.equal(readAt(fd, 50, 5).length, 0);
    assert.equal(readAt(fd, 0, 0).length, 0);
  });
});

suite('a plain file', () => {
  test('is opened, and what is missing is none', () => {
    const opened = openToRead(makeFile('x'));
    assert.equal(opened?.state.size, 1);
    fs.closeSync(opened.fd);
    assert.equal(openToRead(join(folder, 'missing')), undefined);
  });

  test('is no folder, and no pipe: neither holds anybody up', { skip: need('linux') }, () => {
    const pipe = join(folder, 'pipe');
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    for (const file of [folder, pipe]) {
      assert.throws(
        () => openToRead(file),
        (error) => error instanceof ServiceError && error.code === 'unavailable',
      );
    }
    assert.deepEqual(listHandles(), []);
  });
});

/** The files below the test's folder that this process holds open. */
function listHandles(): string[] {
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link.startsWith(folder));
}

suite('the pieces of a file', () => {
  const big = Buffer.from(Array.from({ length: 900_001 }, (_, index) => index % 251));

  async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
    const all: Buffer[] = [];
    for await (const piece of pieces) {
      assert.ok(piece.length <= 384 << 10);
      all.push(Buffer.from(piece));
    }
    return Buffer.concat(all);
  }

  test('are the bytes that were asked for', async () => {
    const file = makeFile(big);
    const { ino } = fs.statSync(file);
    for (const [from, to] of [
      [0, big.length],
      [0, 0],
      [7, 8],
      [393_216, 786_432],
      [900_000, 900_001],
    ] as const) {
      assert.ok(
        (await collect(readChunks(file, ino, from, to))).equals(big.subarray(from, to)),
        `${from}-${to}`,
      );
    }
  });

  test('are copied before the next is asked for: they share one buffer', async () => {
    const file = makeFile(big);
    const pieces = readChunks(file, fs.statSync(file).ino, 0, big.length);
    const first = (await pieces.next()).value;
    const second = (await pieces.next()).value;
    assert.ok(first instanceof Buffer && second instanceof Buffer);
    assert.equal(first.buffer, second.buffer);
    await pieces.return(undefined);
  });

  test('hold no handle while their reader takes its time', { skip: need('linux') }, async () => {
    const file = makeFile(big);
    const pieces = readChunks(file, fs.statSync(file).ino, 0, big.length);
    for (let count = 0; count < 2; count += 1) {
      assert.equal((await pieces.next()).done, false);
      assert.deepEqual(listHandles(), []);
    }
    await pieces.return(undefined);
    assert.deepEqual(listHandles(), []);
  });

  const changes: Record<string, (file: string) => void> = {
    cut: (file) => fs.truncateSync(file, 10),
    removed: (file) => fs.rmSync(file),
    'replaced by another file': (file) => fs.renameSync(makeFile(big), file),
    'replaced by a folder': (file) => {
      fs.rmSync(file);
      fs.mkdirSync(file);
    },
    'replaced by a pipe': (file) => {
      fs.rmSync(file);
      assert.equal(spawnSync('mkfifo', [file]).status, 0);
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    test(`end with a refusal where the file was ${what} meanwhile`, {
      skip: need('linux'),
    }, async () => {
      const file = makeFile(big);
      const { ino } = fs.statSync(file);
      const pieces = readChunks(file, ino, 0, big.length);
      await pieces.next();
      // Kept, so that what comes next can't get its inode.
      const kept = fs.openSync(file, 'r');
      change(file);
      await assert.rejects(
        pieces.next(),
        (error) => error instanceof ServiceError && error.code === 'unavailable',
      );
      fs.closeSync(kept);
    });
  }
});
