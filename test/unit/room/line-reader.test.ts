// Complete lines of a room, read in pieces of bounded size.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  findPart,
  hasLine,
  isLineStart,
  type LineSource,
  MAX_LINE_BYTES,
  markLastLine,
  PIECE_BYTES,
  readBytes,
  readLines,
} from '../../../lib/room/line-reader.ts';
import type { Snapshot } from '../../../lib/store/store.ts';

interface Counted extends Snapshot {
  /** The sizes of the parts that were read. */
  readonly asked: number[];
}

/** A snapshot of a text in memory, or of one that is read in chunks that share one buffer. */
function toSnapshot(text: Buffer, chunkBytes?: number): Counted {
  const asked: number[] = [];
  return {
    asked,
    etag: '"x"',
    sizeBytes: text.length,
    completeBytes: text.lastIndexOf(0x0a) + 1,
    epoch: '0123abcd',
    isSettled: true,
    tail: chunkBytes === undefined ? text : Buffer.alloc(0),
    async *read(from, to) {
      asked.push(to - from);
      const shared = Buffer.alloc(chunkBytes ?? 1);
      for (let at = from; at < to; ) {
        const length = text.copy(shared, 0, at, Math.min(to, at + shared.length));
        yield shared.subarray(0, length);
        at += length;
      }
    },
  };
}

suite('a part of the text', () => {
  test('is found in memory exactly if the tail begins at or before it', () => {
    const text = Buffer.from('one\ntwo\nthree\n');
    for (let tailBytes = 0; tailBytes <= text.length; tailBytes += 1) {
      const tail = text.subarray(text.length - tailBytes);
      for (let from = 0; from <= text.length; from += 1) {
        for (let to = from; to <= text.length; to += 1) {
          const part = findPart({ sizeBytes: text.length, tail }, from, to);
          const isInMemory = from >= text.length - tailBytes;
          assert.deepEqual(part, isInMemory ? text.subarray(from, to) : undefined, `${from}-${to}`);
        }
      }
    }
  });

  test('that is in memory is not read', async () => {
    const text = Buffer.from('one\ntwo\nthree\n');
    const snapshot = { ...toSnapshot(text, 100), tail: text.subarray(4) };
    assert.equal((await readLines(snapshot, 8))?.text.toString(), 'three\n');
    assert.equal(await isLineStart(snapshot, 8), true);
    assert.deepEqual(snapshot.asked, []);
    assert.equal((await readLines(snapshot, 4))?.text.toString(), 'two\nthree\n');
    assert.deepEqual(snapshot.asked, [11], 'the byte before is not in memory');
  });
});

suite('reading lines', () => {
  test('gives all complete lines of a small room, and not the last one without LF', async () => {
    for (const chunkBytes of [undefined, 1, 3, 1000]) {
      const snapshot = toSnapshot(Buffer.from('one\ntwo\nhalf'), chunkBytes);
      const lines = await readLines(snapshot, 0);
      assert.deepEqual([lines?.text.toString(), lines?.end], ['one\ntwo\n', 8]);
      assert.equal((await readLines(snapshot, 4))?.text.toString(), 'two\n');
    }
  });

  test('gives nothing from the middle of a line', async () => {
    for (const chunkBytes of [undefined, 2]) {
      const snapshot = toSnapshot(Buffer.from('one\n\ntwo\n'), chunkBytes);
      for (const offset of [1, 2, 3, 6, 7, 8]) {
        assert.equal(await readLines(snapshot, offset), undefined, String(offset));
        assert.equal(await isLineStart(snapshot, offset), false, String(offset));
      }
      for (const offset of [0, 4, 5]) assert.ok(await readLines(snapshot, offset));
      for (const offset of [0, 4, 5, 9]) assert.ok(await isLineStart(snapshot, offset));
      assert.equal(await isLineStart(snapshot, 10), false, 'past the end');
    }
  });

  test('piece by piece gives exactly the complete lines of any text', async () => {
    const byte = fc.constantFrom(0x0a, 0x61, 0x0d, 0xff);
    await fc.assert(
      fc.asyncProperty(
        fc.array(byte, { maxLength: 60 }),
        fc.nat({ max: 8 }),
        async (bytes, chunk) => {
          const text = Buffer.from(bytes);
          const snapshot = toSnapshot(text, chunk === 0 ? undefined : chunk);
          const parts: Buffer[] = [];
          for (let at = 0; at < snapshot.completeBytes; ) {
            const lines = await readLines(snapshot, at);
            assert.ok(lines !== undefined && lines.end > at);
            parts.push(Buffer.from(lines.text));
            at = lines.end;
          }
          assert.deepEqual(Buffer.concat(parts), text.subarray(0, snapshot.completeBytes));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('gives lines of many pieces whole, however the chunks are cut', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(3 * PIECE_BYTES)), { maxLength: 8 });
    const chunkSizes = fc.integer({ min: 1000, max: 300_000 });
    const property = fc.asyncProperty(sizes, chunkSizes, async (lengths, chunkBytes) => {
      const text = Buffer.from(
        lengths.map((size, n) => `${'abc'[n % 3]!.repeat(size)}\n`).join(''),
      );
      const pieces: Buffer[] = [];
      for (let at = 0; at < text.length; ) {
        const lines = await readLines(toSnapshot(text, chunkBytes), at);
        assert.ok(lines !== undefined && lines.end === at + lines.text.length);
        pieces.push(Buffer.from(lines.text));
        at = lines.end;
      }
      assert.ok(Buffer.concat(pieces).equals(text));
    });
    await fc.assert(property, { numRuns: 200 });
  });

  test('takes one piece of a large room at a time', async () => {
    const line = `${'x'.repeat(99)}\n`;
    const snapshot = toSnapshot(Buffer.from(line.repeat(10_000)), 4096);
    const lines = await readLines(snapshot, 100);
    assert.ok(lines !== undefined && lines.text.length <= PIECE_BYTES);
    assert.equal(lines.end, 100 + lines.text.length);
    assert.equal(lines.text.length % 100, 0);
    assert.deepEqual(snapshot.asked, [PIECE_BYTES + 1]);
  });

  test('gives a line of up to 8 MiB whole', async () => {
    for (const length of [PIECE_BYTES, PIECE_BYTES + 1, MAX_LINE_BYTES]) {
      const text = Buffer.alloc(length + 2, 'x');
      text[length - 1] = 0x0a;
      text[length + 1] = 0x0a;
      const lines = await readLines(toSnapshot(text, 128 << 10), 0);
      assert.ok(lines !== undefined);
      assert.ok(lines.end >= length);
      assert.ok(text.subarray(0, lines.end).equals(lines.text), String(length));
    }
  });

  test('gives a note instead of a longer line, with the end of the line itself', async () => {
    for (const chunkBytes of [undefined, 128 << 10]) {
      const text = Buffer.concat([
        Buffer.from('a\n'),
        Buffer.alloc(MAX_LINE_BYTES, 'x'),
        Buffer.from('\nb\n'),
      ]);
      const snapshot = toSnapshot(text, chunkBytes);
      if (chunkBytes === undefined) {
        assert.equal(snapshot.tail.length, text.length);
        Object.assign(snapshot, { read: toSnapshot(text, 1 << 20).read });
      }
      const lines = await readLines(snapshot, 2);
      assert.equal(lines?.end, text.length - 2);
      assert.match(lines.text.toString(), /^[^\n]*8388608 bytes[^\n]*\n$/);
      assert.ok(Math.max(...snapshot.asked, 0) <= text.length, 'no more than there is');
      assert.equal((await readLines(snapshot, lines.end))?.text.toString(), 'b\n');
    }
  });
});

suite('a source that gives fewer bytes than it was asked for', () => {
  /** Claims to have 20 MiB, and gives the bytes of a shorter text. */
  function toShortSource(text: Buffer): LineSource {
    return {
      sizeBytes: 20 << 20,
      completeBytes: 20 << 20,
      tail: Buffer.alloc(0),
      async *read(from, to) {
        yield text.subarray(from, to);
      },
    };
  }

  test('is an error, and no caller sees memory that nothing was read into', async () => {
    const source = toShortSource(Buffer.from('0123456789'));
    await assert.rejects(readLines(source, 0), /ended at byte 10, before byte 65536/);
    await assert.rejects(isLineStart(source, 100), /ended at byte 99, before byte 100/);
    assert.equal(String(await readBytes(source, 2, 6)), '2345');
    await assert.rejects(readBytes(source, 2, 11), /ended at byte 10, before byte 11/);
  });

  test('is an error in the middle of a line that is too long for a stream', async () => {
    const source = toShortSource(Buffer.alloc(MAX_LINE_BYTES, 'x'));
    await assert.rejects(readLines(source, 0), /ended at byte 8388608, before byte 20971520/);
  });
});

suite('the last line', () => {
  const message = '[2026-01-01 00:00:00] omri: hi';
  for (const text of ['', '\n', 'one\n\n', `one\n${message}\n`, `${message}\n${message}\nhalf`]) {
    test(`of ${JSON.stringify(text)} is known again exactly if it is still there`, async () => {
      const bytes = Buffer.from(text);
      const end = text.lastIndexOf('\n') + 1;
      const start = text.slice(0, Math.max(0, end - 1)).lastIndexOf('\n') + 1;
      for (let tailBytes = 0; tailBytes <= bytes.length; tailBytes += 1) {
        const tail = bytes.subarray(bytes.length - tailBytes);
        const mark = markLastLine({ ...toSnapshot(bytes), tail });
        const first = bytes.length - tailBytes;
        const isInMemory = end > 0 && (first === 0 || first < start);
        assert.equal(mark !== undefined, isInMemory, `${tailBytes}`);
        if (mark === undefined) continue;
        assert.deepEqual([mark.start, mark.end], [start, end]);
        const complete = text.slice(0, end);
        const has = (other: string) => hasLine(toSnapshot(Buffer.from(other), 7), mark);
        assert.ok(await has(`${complete}more\n`));
        assert.ok(await has(complete.replace(/hi\n$/, 'ho\n')), 'another message');
        assert.ok(!(await has(complete.slice(0, -1))), 'cut');
        assert.ok(!(await has(`${complete.slice(0, -1)}longer\n`)));
        if (end - start > 1) assert.ok(!(await has(`${text.slice(0, start)}\n${complete}`)));
      }
    });
  }
});
