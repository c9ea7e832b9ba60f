// Cursors and epochs.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  EMPTY_EPOCH,
  EPOCH_BYTES,
  formatCursor,
  parseCursor,
  toEpoch,
} from '../../../lib/room/cursor.ts';
import { show, vectors } from './vectors.ts';

suite('the epoch', () => {
  for (const { text, times, epoch } of vectors.epochs) {
    test(`of ${show(text)} ${times === 1 ? '' : `${times} times `}is ${epoch}`, () => {
      assert.equal(toEpoch(Buffer.from(text.repeat(times))), epoch);
    });
  }

  test('depends on the first line alone', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(bytes, bytes, (head, rest) => {
        const line = Buffer.from(head.map((byte) => (byte === 0x0a ? 0x0b : byte)));
        const alone = toEpoch(Buffer.concat([line, Buffer.from('\n')]));
        assert.equal(toEpoch(Buffer.concat([line, Buffer.from('\n'), rest])), alone);
        assert.match(alone, /^[0-9a-f]{8}$/);
        assert.notEqual(alone, EMPTY_EPOCH);
      }),
      { numRuns: 5000 },
    );
  });

  test('of a line longer than 64 KiB is that of its first 64 KiB, with and without its LF', () => {
    const long = Buffer.alloc(EPOCH_BYTES + 10, 'x');
    const other = Buffer.concat([long, Buffer.from('tail\nmore\n')]);
    assert.equal(toEpoch(long), toEpoch(other));
    assert.equal(toEpoch(long.subarray(0, EPOCH_BYTES)), toEpoch(other));
    const changed = Buffer.from(other);
    changed[EPOCH_BYTES] = 0x79;
    assert.equal(toEpoch(changed), toEpoch(other), 'a byte past 64 KiB does not count');
    changed[EPOCH_BYTES - 1] = 0x79;
    assert.notEqual(toEpoch(changed), toEpoch(other), 'the last byte of 64 KiB does');
  });

  test('is that of an empty room while the first line has no LF', () => {
    for (const head of ['', 'a', 'a'.repeat(EPOCH_BYTES - 1)]) {
      assert.equal(toEpoch(Buffer.from(head)), EMPTY_EPOCH);
    }
  });

  test('differs for 1,000 first lines that differ', () => {
    const epochs = new Set<string>();
    for (let second = 0; second < 1000; second += 1) {
      epochs.add(toEpoch(Buffer.from(`[2018-02-25 14:00:${second}] omri: hi\n`)));
    }
    assert.equal(epochs.size, 1000);
  });
});

suite('a cursor', () => {
  test('is parsed back as it was formatted', () => {
    const epochs = fc.stringMatching(/^[0-9a-f]{8}$/);
    fc.assert(
      fc.property(epochs, fc.maxSafeNat(), (epoch, offset) => {
        assert.deepEqual(parseCursor(formatCursor(epoch, offset)), { epoch, offset });
        assert.deepEqual(parseCursor(String(offset)), { epoch: undefined, offset });
      }),
      { numRuns: 20_000 },
    );
  });

  test('of an empty room is 00000000-0', () => {
    assert.equal(formatCursor(toEpoch(Buffer.alloc(0)), 0), '00000000-0');
  });

  test('may have any offset that a number holds exactly', () => {
    assert.equal(parseCursor(`${Number.MAX_SAFE_INTEGER}`)?.offset, Number.MAX_SAFE_INTEGER);
    assert.equal(parseCursor('9007199254740992'), undefined);
    assert.equal(parseCursor(`0123abcd-${'9'.repeat(17)}`), undefined);
    assert.equal(parseCursor('9'.repeat(1000)), undefined);
  });

  const malformed = [
    ...['', '-', '-1', '+1', ' 1', '1 ', '1\n', '01', '00', '1.0', '1e3', '0x1', '1-', 'a'],
    ...['0123abc-1', '0123abcde-1', '0123ABCD-1', '0123abcg-1', '0123abcd1', '0123abcd--1'],
  ];
  malformed.push('0123abcd-', '0123abcd-01', '0123abcd-1-1', '0123abcd -1', '\u0661', 'now');
  for (const text of malformed) {
    test(`${show(text)} is malformed`, () => assert.equal(parseCursor(text), undefined));
  }
});
