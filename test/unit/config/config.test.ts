// The configuration: every default, every good edge, every bad value (contract §7).
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative } from 'node:path';
import { suite, test } from 'node:test';
import { readConfig } from '../../../lib/config/config.ts';
import { toFriendlyName } from '../../../lib/config/server-name.ts';
import { ServiceError } from '../../../lib/errors.ts';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';

suite('without any variable', () => {
  test('everything has its default', () => {
    const config = readConfig({});
    assert.equal(config.port, 8080);
    assert.equal(config.host, undefined);
    assert.deepEqual(config.storeAddress, toFolder(join(projectFolder, 'rooms')));
    assert.equal(config.staticFolder, join(projectFolder, 'static'));
    assert.equal(config.serverName, toFriendlyName(hostname()));
    assert.equal(config.hostname, hostname());
    assert.equal(config.durability, 'disk');
    assert.equal(config.log, 'info');
  });

  test('an empty one counts as none, as Compose files leave them', () => {
    const names = [
      ...['PORT', 'HOST', 'CHAT_STORE', 'CHAT_STATIC', 'CHAT_SERVER_NAME', 'CHAT_DURABILITY'],
      ...['CHAT_LOG', 'TZ'],
    ];
    assert.deepEqual(
      readConfig(Object.fromEntries(names.map((name) => [name, '']))),
      readConfig({}),
    );
  });

  test('an empty TZ stays in the environment', () => {
    const before = process.env.TZ;
    process.env.TZ = '';
    try {
      readConfig();
      assert.equal(process.env.TZ, '');
    } finally {
      restoreZone(before);
    }
  });
});

suite('a good value', () => {
  test('of PORT is a whole number from 0 to 65535', () => {
    for (const [text, port] of [
      ['0', 0],
      ['1', 1],
      ['080', 80],
      ['65535', 65_535],
    ] as const) {
      assert.equal(readConfig({ PORT: text }).port, port);
    }
  });

  test('of HOST is passed on', () => {
    assert.equal(readConfig({ HOST: '127.0.0.1' }).host, '127.0.0.1');
    assert.equal(readConfig({ HOST: '::1' }).host, '::1');
  });

  test('of CHAT_STORE and CHAT_STATIC is a folder, from where the process runs', () => {
    const folder = makeTempFolder('config');
    const config = readConfig({ CHAT_STORE: relative(process.cwd(), folder), CHAT_STATIC: folder });
    assert.deepEqual(config.storeAddress, toFolder(folder));
    assert.equal(config.staticFolder, folder);
    const { storeAddress } = readConfig({ CHAT_STORE: '/not/there:yet//x' });
    assert.deepEqual(storeAddress, toFolder('/not/there:yet/x'));
  });

  test('of CHAT_SERVER_NAME is 1 to 64 printable ASCII characters', () => {
    for (const name of ['a', 'two words', `a${'-'.repeat(62)}b`, '!~']) {
      assert.equal(readConfig({ CHAT_SERVER_NAME: name }).serverName, name);
    }
  });

  test('of CHAT_DURABILITY and CHAT_LOG is one of the choices', () => {
    for (const choice of ['disk', 'memory'])
      assert.equal(readConfig({ CHAT_DURABILITY: choice }).durability, choice);
    for (const level of ['debug', 'info', 'warn', 'error'])
      assert.equal(readConfig({ CHAT_LOG: level }).log, level);
  });

  test('of CHAT_STORE_PASSWORD_FILE is a file with the password that the address lacks', () => {
    const file = join(makeTempFolder('config'), 'password');
    writeFileSync(file, 'from a file\r\n');
    const passwordOf = (CHAT_STORE: string) => {
      const { storeAddress } = readConfig({ CHAT_STORE, CHAT_STORE_PASSWORD_FILE: file });
      return storeAddress.kind === 'database' ? storeAddress.address.password : undefined;
    };
    assert.equal(passwordOf('mysql://chat@db/rooms'), 'from a file');
    assert.equal(passwordOf('mysql://chat:own@db/rooms'), 'own');
  });

  test('of CHAT_STORE_PASSWORD_FILE is read only if the store is a database', () => {
    const CHAT_STORE_PASSWORD_FILE = join(makeTempFolder('config'), 'missing');
    assert.doesNotThrow(() => readConfig({ CHAT_STORE_PASSWORD_FILE }));
    const CHAT_STORE = 'mysql://chat:own@db/rooms';
    assert.throws(
      () => readConfig({ CHAT_STORE, CHAT_STORE_PASSWORD_FILE }),
      /^\w*Error: CHAT_STORE_PASSWORD_FILE is /,
    );
  });
});

function toFolder(folder: string) {
  return { kind: 'folder', folder };
}

function restoreZone(zone: string | undefined): void {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
}

suite('a bad value is one clear line that names its variable', () => {
  const file = join(makeTempFolder('config'), 'file');
  writeFileSync(file, '');
  const bad: Record<string, string[]> = {
    PORT: [
      ...['-1', '65536', '99999', '100000', '80.5', '1e3', '0x50', ' 80', '80 ', 'http'],
      ...['\u0668', '80\n'],
    ],
    CHAT_STORE: ['postgres://host/db', 'https://host/', 'ftp://x', 'mysqlx://h/d'],
    CHAT_STATIC: ['/not/there', file, 'a\nb'],
    CHAT_SERVER_NAME: [
      ' a',
      'a ',
      'a'.repeat(65),
      'caf\u00e9',
      'a\tb',
      'a\nb',
      'a\r\nSet-Cookie: x',
      ' ',
    ],
    CHAT_DURABILITY: ['Disk', 'none', 'disk ', 'fsync', '__proto__'],
    CHAT_LOG: ['INFO', 'trace', 'verbose', '0', 'constructor'],
    TZ: ['Europe/Atlantis', 'nowhere', '../etc/passwd', ':UTC', 'UTC\n'],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      test(`${name}=${JSON.stringify(value).slice(0, 40)}`, () => {
        assert.throws(
          () => readConfig({ [name]: value }),
          (error) => {
            assert.ok(error instanceof ServiceError && error.code === 'bad-request', String(error));
            assert.match(error.message, new RegExp(`^${name} [^\\n\\r]+$`));
            return true;
          },
        );
      });
    }
  }

  test('and a long one is cut', () => {
    assert.throws(
      () => readConfig({ CHAT_LOG: 'x'.repeat(100_000) }),
      (error: Error) => error.message.length < 500,
    );
  });
});
