// Where rooms are kept, read from a text (contract §7, §10).
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { suite, test } from 'node:test';
import { parseStoreAddress, showStoreAddress } from '../../../lib/config/store-address.ts';

suite('a folder', () => {
  for (const text of [
    ...['rooms', './a b', '/srv/rooms', '/odd:name', 'a/mysql://x', 'mysql:/rooms', 'C:\\rooms'],
    ...['..'],
  ]) {
    test(`is ${text}`, () => {
      const address = parseStoreAddress(text);
      assert.deepEqual(address, { kind: 'folder', folder: resolve(text) });
      assert.equal(showStoreAddress(address), resolve(text));
    });
  }
});

suite('a database', () => {
  const addresses: Record<string, [string, number, string, string, string]> = {
    'mysql://chat:secret@db/rooms': ['db', 3306, 'chat', 'secret', 'rooms'],
    'MYSQL://chat@127.0.0.1:3307/rooms': ['127.0.0.1', 3307, 'chat', '', 'rooms'],
    'mysql://ch%40t:s%2Fe%3Ac%25@db/r%20s': ['db', 3306, 'ch@t', 's/e:c%', 'r s'],
    'mysql://chat:x@[::1]:3306/rooms': ['::1', 3306, 'chat', 'x', 'rooms'],
  };
  for (const [text, [host, port, user, password, database]] of Object.entries(addresses)) {
    test(`is ${text}`, () => {
      const address = { host, port, user, password, database };
      assert.deepEqual(parseStoreAddress(text), { kind: 'database', address });
    });
  }

  test('is shown without its user and password, and with its port', () => {
    for (const text of Object.keys(addresses)) {
      const shown = showStoreAddress(parseStoreAddress(text));
      assert.match(shown, /^mysql:\/\/(?:[^@/:]+|\[[^@/]+\]):\d+\/[^@/]+$/);
      assert.doesNotMatch(shown, /secret|chat/);
    }
  });
});

suite('a bad address is told in one line that does not show it', () => {
  const bad = [
    ...['postgres://u:hushhush@db/r', 'https://u:hushhush@db/r', 'mysql://u:hushhush@/r'],
    ...['mysql://u:hushhush@db', 'mysql://u:hushhush@db/', 'mysql://u:hushhush@db/r/s'],
    ...['mysql://u:hushhush@db:99999/r', 'mysql://u:hushhush@db:x/r', 'mysql:///hushhush'],
    ...['mysql://u:hush#hush@db/r', 'mysql://u:hushhush@db/r?x=1', 'mysql://u:hush%hush@db/r'],
    ...['mysql://:hushhush@db/r', 'mysql://db/r', 'mysql://u:hushhush@db/%zz', 'mysql://'],
  ];
  for (const text of bad) {
    test(text, () => {
      assert.throws(
        () => parseStoreAddress(text),
        (error: Error) => {
          assert.match(error.message, /^[\x20-\x7e]+$/);
          assert.match(error.message, /it takes a folder, or mysql:\/\//);
          assert.doesNotMatch(error.message, /hush/);
          return true;
        },
      );
    });
  }
});
