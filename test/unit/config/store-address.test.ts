// Where rooms are kept, read from a text (contract §7, §10).
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { suite, test } from 'node:test';
import { parseStoreAddress, showStoreAddress } from '../../../lib/config/store-address.ts';

suite('a folder', () => {
  for (const text of [
    'rooms',
    './a b',
    '/srv/rooms',
    '/odd:name',
    'a/mysql://x',
    'mysql:/rooms',
    'C:\\rooms',
    '..',
  ]) {
    test(`is ${text}`, () => {
      const address = parseStoreAddress(text);
      assert.deepEqual(address, { kind: 'folder', folder: resolve(text) });
      assert.equal(showStoreAddress(address), resolve(text));
    });
  }
});

suite('a database', () => {
  const addresses: Record<string, object> = {
    'mysql://chat:secret@db/rooms': {
      host: 'db',
      port: 3306,
      user: 'chat',
      password: 'secret',
      database: 'rooms',
    },
    'MYSQL://chat@127.0.0.1:3307/rooms': {
      host: '127.0.0.1',
      port: 3307,
      user: 'chat',
      password: '',
      database: 'rooms',
    },
    'mysql://ch%40t:s%2Fe%3Ac%25@db/r%20s': {
      host: 'db',
      port: 3306,
      user: 'ch@t',
      password: 's/e:c%',
      database: 'r s',
    },
    'mysql://chat:x@[::1]:3306/rooms': {
      host: '::1',
      port: 3306,
      user: 'chat',
      password: 'x',
      database: 'rooms',
    },
  };
  for (const [text, address] of Object.entries(addresses)) {
    test(`is ${text}`, () => {
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
    'postgres://u:hushhush@db/r',
    'https://u:hushhush@db/r',
    'mysql://u:hushhush@/r',
    'mysql://u:hushhush@db',
    'mysql://u:hushhush@db/',
  ];
  bad.push(
    'mysql://u:hushhush@db/r/s',
    'mysql://u:hushhush@db:99999/r',
    'mysql://u:hushhush@db:x/r',
    'mysql:///hushhush',
    'mysql://u:hush#hush@db/r',
    'mysql://u:hushhush@db/r?x=1',
  );
  bad.push(
    'mysql://u:hush%hush@db/r',
    'mysql://:hushhush@db/r',
    'mysql://db/r',
    'mysql://u:hushhush@db/%zz',
    'mysql://',
  );
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
