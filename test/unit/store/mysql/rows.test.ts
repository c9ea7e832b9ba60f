// Lines as rows of a database, and back.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { formatLine } from '../../../../lib/room/message.ts';
import { MAX_ROW_BYTES, toBytes, toRows } from '../../../../lib/store/mysql/rows.ts';
import { vectors } from '../../room/vectors.ts';

suite('bytes become rows and come back the same', () => {
  const messages = fc
    .tuple(fc.constantFrom('omri', 'Ö', 'a:b'), fc.constantFrom('hi', 'é😀', 'a: b', ' x '))
    .map(([username, message]) => formatLine('2018-02-25 14:00:51', { username, message }));
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    messages.map((line) => Buffer.from(line)),
    fc.constantFrom('\n', '\r\n', '[2018-02-25 14:00:51] ', 'x'.repeat(70_000)).map(Buffer.from),
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.concat(pieces));

  test('whatever they are, wherever they begin', () => {
    fc.assert(
      fc.property(text, fc.nat(1e9), fc.boolean(), (bytes, offset, isLineStart) => {
        const rows = toRows(bytes, offset, isLineStart);
        assert.ok(Buffer.concat(rows.map(toBytes)).equals(bytes));
        let end = offset;
        for (const row of rows) {
          const { length } = toBytes(row);
          assert.ok(length > 0 && length <= MAX_ROW_BYTES);
          end += length;
          assert.equal(row.end_offset, end);
          assert.equal(row.raw === null, row.at !== null && row.username !== null);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('lines that an older version stored are messages, though nobody can send them now', () => {
    for (const { line, username, message } of vectors.readLines) {
      const [row] = toRows(Buffer.from(line), 0, true);
      assert.deepEqual([row?.username, row?.message], [username, message], JSON.stringify(line));
      assert.equal(toBytes(row!).toString(), line);
    }
  });

  test('messages are messages, and what only looks like one is not', () => {
    const good = formatLine('2018-02-25 14:00:51', { username: 'omri', message: 'hi' });
    assert.equal(toRows(Buffer.from(good), 0, true)[0]?.message, 'hi');
    assert.equal(toRows(Buffer.from(good), 7, false)[0]?.message, null, 'the end of a longer line');
    for (const line of [
      good.trimEnd(),
      good.replace('02-25', '02-30'),
      good.replace('14:00:51', '24:00:00'),
      good.replace('14:00:51', '23:59:60'),
      good.replace('2018', '0018'),
      good.replace('omri', 'omri '),
      good.replace('hi', 'a\u2028b'),
      good.replace('hi', ''),
      good.replace('\n', '\r\n'),
    ]) {
      assert.equal(toRows(Buffer.from(line), 0, true)[0]?.message, null, JSON.stringify(line));
    }
  });
});
