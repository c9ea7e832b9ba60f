// Without a database: addresses, and lines as rows.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseStoreAddress, showStoreAddress } from '../../lib/config/store-address.ts';
import { formatLine } from '../../lib/room/message.ts';
import { MAX_ROW_BYTES, toBytes, toRows } from '../../lib/store/mysql/rows.ts';

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

suite('the home of rooms', () => {
  test('an address is read part by part', () => {
    const text = 'mysql://us%40er:p%3A%2Fw%25@db.example:3307/my%20chat';
    const home = parseStoreAddress(text);
    assert.deepEqual(home, {
      kind: 'database',
      address: {
        host: 'db.example',
        port: 3307,
        user: 'us@er',
        password: 'p:/w%',
        database: 'my chat',
      },
    });
    assert.equal(showStoreAddress(home), 'mysql://db.example:3307/my chat');
  });

  test('the port may be left out, the password too, and the host may be a number', () => {
    const home = parseStoreAddress('MYSQL://u@[::1]/chat');
    assert.ok(home.kind === 'database');
    const { host, port, password } = home.address;
    assert.deepEqual([host, port, password], ['::1', 3306, '']);
    assert.equal(showStoreAddress(home), 'mysql://[::1]:3306/chat');
  });

  test('anything else without a scheme is a folder', () => {
    for (const text of ['rooms', '/a/b', 'c:/rooms', 'mysql:/rooms', './mysql']) {
      assert.equal(parseStoreAddress(text).kind, 'folder', text);
    }
  });

  test('a bad address says what would be right, and shows nothing of itself', () => {
    for (const text of [
      'mysql://',
      'mysql:///chat',
      'mysql://s3cret@/chat',
      'mysql://u:s3cret@host',
      'mysql://u:s3cret@host/',
      'mysql://u:s3cret@host/a/b',
      'mysql://u:s3cret@host/a?ssl=1',
      'mysql://u:s3cret@host/a#b',
      'mysql://u:s3cret%@host/a',
      'mysql://:s3cret@host/a',
      'mysql://u:s3cret@host:x/a',
      'mariadb://u:s3cret@host/a',
    ]) {
      assert.throws(
        () => parseStoreAddress(text),
        ({ message }: Error) =>
          /it takes a folder, or mysql:/.test(message) && !/s3cret/.test(message),
        text,
      );
    }
  });
});
