// Frames and pieces alone: any text, cut anywhere, comes out as its lines.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { toEventFormat, toTextFormat } from '../../../lib/http/response/frames.ts';
import {
  isLineStart,
  type LineSource,
  MAX_LINE_BYTES,
  PIECE_BYTES,
  readLines,
} from '../../../lib/room/line-reader.ts';
import { EventParser, type LiveEvent } from '../../support/sse.ts';
import { pickLines } from './rooms.ts';

const line = fc.string({ unit: fc.constantFrom('a', 'é', '🎉', '\r', ' ', ':', '\0', '\t') });
const lines = fc.array(line, { minLength: 1, maxLength: 20 });

/** A source whose text is at hand, or comes in chunks of that size. */
function toSource(bytes: Buffer, chunkBytes?: number): LineSource {
  return {
    completeBytes: bytes.lastIndexOf(0x0a) + 1,
    sizeBytes: bytes.length,
    tail: chunkBytes === undefined ? bytes : Buffer.alloc(0),
    async *read(from, to) {
      // One buffer for all chunks, as the folder's store has it.
      const buffer = Buffer.alloc(chunkBytes ?? 0);
      for (let at = from; at < to; at += buffer.length) {
        const length = bytes.copy(buffer, 0, at, Math.min(to, at + buffer.length));
        yield buffer.subarray(0, length);
      }
    },
  };
}

/** Takes the chunk's frame off. */
function unchunk(frame: Buffer): Buffer {
  const end = frame.indexOf('\r\n');
  const length = Number.parseInt(frame.toString('latin1', 0, end), 16);
  assert.equal(frame.length, end + 2 + length + 2);
  assert.equal(frame.toString('latin1', frame.length - 2), '\r\n');
  return frame.subarray(end + 2, -2);
}

suite('lines as events', () => {
  test('come out as they went in, with the offset after each, however the bytes are cut', () => {
    fc.assert(
      fc.property(lines, fc.nat(1e9), fc.integer({ min: 1, max: 50 }), (written, offset, cut) => {
        const text = Buffer.from(written.map((one) => `${one}\n`).join(''));
        const frame = toEventFormat(true).frameLines(text, offset, '0123abcd');
        const events: LiveEvent[] = [];
        const parser = new EventParser((event) => events.push(event));
        const body = unchunk(frame);
        assert.deepEqual(body, toEventFormat(false).frameLines(text, offset, '0123abcd'));
        for (let at = 0; at < body.length; at += cut) parser.push(body.subarray(at, at + cut));
        let end = offset;
        const expected = written.map((one) => {
          end += Buffer.byteLength(one) + 1;
          return { id: `0123abcd-${end}`, data: one.replace(/\r$/, '').replaceAll('\r', '\ufffd') };
        });
        assert.deepEqual(pickLines(events), expected);
      }),
      { numRuns: 1000, seed: 6 },
    );
  });

  test('that are not UTF-8 travel as their bytes', () => {
    const text = Buffer.from([0xff, 0xfe, 0x80, 0x0a]);
    const frame = toEventFormat(false).frameLines(text, 0, '0123abcd');
    assert.deepEqual(
      frame,
      Buffer.concat([Buffer.from('id: 0123abcd-4\ndata: '), text, Buffer.from('\n')]),
    );
  });
});

test('lines as text are the text, in a chunk or bare', () => {
  const text = Buffer.from('one\r\ntwo\n');
  assert.deepEqual(toTextFormat(false).frameLines(text, 0, ''), text);
  assert.deepEqual(unchunk(toTextFormat(true).frameLines(text, 0, '')), text);
  assert.equal(toTextFormat(true).reset, undefined);
  assert.equal(toTextFormat(true).ping, undefined);
});

suite('reading lines', () => {
  test('from place to place gives every byte once, in pieces of whole lines', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(3 * PIECE_BYTES)), {
      minLength: 1,
      maxLength: 8,
    });
    const chunk = fc.option(fc.integer({ min: 1000, max: 300_000 }), { nil: undefined });
    const property = fc.asyncProperty(
      sizes,
      chunk,
      fc.nat(50),
      async (lengths, chunkBytes, rest) => {
        const whole = Buffer.from(
          `${lengths.map((size, n) => `${'abc'[n % 3]}`.repeat(size)).join('\n')}\n`,
        );
        const source = toSource(Buffer.concat([whole, Buffer.alloc(rest, 'z')]), chunkBytes);
        const pieces: Buffer[] = [];
        for (let at = 0; at < source.completeBytes; ) {
          const piece = await readLines(source, at);
          assert.ok(piece && piece.end > at && piece.end === at + piece.text.length);
          assert.equal(piece.text.at(-1), 0x0a);
          pieces.push(Buffer.from(piece.text));
          at = piece.end;
        }
        assert.deepEqual(Buffer.concat(pieces), whole);
      },
    );
    await fc.assert(property, { numRuns: 200, seed: 6 });
  });

  test('from the middle of a line gives nothing', async () => {
    for (const source of [
      toSource(Buffer.from('one\ntwo\n')),
      toSource(Buffer.from('one\ntwo\n'), 3),
    ]) {
      for (const at of [1, 2, 3, 5, 6, 7]) {
        assert.equal(await readLines(source, at), undefined, `at ${at}`);
        assert.equal(await isLineStart(source, at), false, `at ${at}`);
      }
      for (const at of [0, 4, 8]) assert.equal(await isLineStart(source, at), true, `at ${at}`);
      assert.equal(await isLineStart(source, 9), false);
    }
  });

  test('of a line that is as long as allowed gives it, and of a longer one a note', async () => {
    for (const [extra, isWhole] of [
      [0, true],
      [1, false],
    ] as const) {
      const bytes = Buffer.alloc(MAX_LINE_BYTES + extra, 'x');
      bytes[bytes.length - 1] = 0x0a;
      const piece = await readLines(
        toSource(Buffer.concat([bytes, Buffer.from('end\n')]), 1 << 20),
        0,
      );
      assert.equal(piece?.end, bytes.length);
      assert.equal(piece?.text.equals(bytes), isWhole);
      if (!isWhole) assert.match(String(piece?.text), /^\(a line of \d+ bytes, too long .*\)\n$/);
    }
  });
});
