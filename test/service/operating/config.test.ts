// Contract §7: how the service is configured, started and refused a start.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { get, post, read } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import {
  findFreePort,
  type ServerOptions,
  type ServerProcess,
  spawnServer,
  startServer,
  withDeadline,
} from '../../support/server.ts';

/** Waits for a start that must fail: exit code 2, one line on standard error, and no start line. */
async function assertRefusesToStart(options: ServerOptions, words: RegExp): Promise<void> {
  const process = spawnServer(options);
  const exit = await withDeadline(process.exited, 20_000, () => describe(process));
  assert.deepEqual(exit, { code: 2, signal: null }, describe(process));
  assert.equal(process.stderr.length, 1, describe(process));
  assert.match(process.stderr[0]!, words);
  assert.doesNotMatch(process.stderr[0]!, /s3cret/);
  assert.doesNotMatch(process.stderr[0]!, /\bat .*:\d+:\d+|node:internal/, 'no stack');
  assert.doesNotMatch(process.stdout.join('\n'), /http:\/\//, 'it never said that it listens');
}

function describe({ stdout, stderr }: ServerProcess): string {
  return JSON.stringify({ stdout, stderr });
}

suite('the start line', () => {
  test('is one line with the URL to open', async () => {
    const server = await startServer();
    const lines = server.stdout.filter((line) => line.includes('http://'));
    assert.equal(lines.length, 1, JSON.stringify(server.stdout));
    const { pathname, port } = new URL(/https?:\/\/\S+/.exec(lines[0]!)![0]);
    const page = await get({ port: Number(port) }, pathname);
    assert.equal(page.status, 200);
    assert.match(page.text, /<html/i);
    await server.stop();
    assert.deepEqual(server.stderr, []);
  });

  test('names the free port that PORT=0 took, another for each', async () => {
    const servers = await Promise.all([startServer(), startServer()]);
    assert.notEqual(servers[0].port, servers[1].port);
    for (const server of servers) assert.equal((await get(server, '/-/healthy')).status, 200);
    await Promise.all(servers.map((server) => server.stop()));
  });
});

suite('PORT and HOST', () => {
  test('PORT is where it listens', async () => {
    const port = await findFreePort();
    const server = await startServer({ env: { PORT: String(port) } });
    assert.equal(server.port, port);
    await server.stop();
  });

  test('without HOST it listens on all interfaces', async () => {
    const server = await startServer({ env: { HOST: undefined } });
    const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
    const hosts = own.filter((entry) => entry.family === 'IPv4').map((entry) => entry.address);
    for (const host of ['127.0.0.1', ...hosts]) {
      assert.equal((await get({ host, port: server.port }, '/-/healthy')).status, 200, host);
    }
    if (own.some((entry) => entry.address === '::1')) {
      assert.equal((await get({ host: '::1', port: server.port }, '/-/healthy')).status, 200);
    }
    await server.stop();
  });

  test('with HOST=127.0.0.1 it listens there alone', async () => {
    const server = await startServer({ env: { HOST: '127.0.0.1' } });
    assert.match(server.startLine, new RegExp(`http://(127\\.0\\.0\\.1|localhost):${server.port}`));
    await assert.rejects(get({ host: '127.0.0.2', port: server.port }, '/-/healthy'));
    await server.stop();
  });

  test('a port that is taken is one clear line and exit code 1', async () => {
    const server = await startServer();
    const second = spawnServer({ env: { PORT: String(server.port) } });
    const exit = await withDeadline(second.exited, 20_000, () => describe(second));
    assert.equal(exit.code, 1);
    assert.equal(second.stderr.length, 1, describe(second));
    assert.match(second.stderr[0]!, new RegExp(`${server.port}`));
    await server.stop();
  });
});

suite('a bad value is one line on standard error and exit code 2', () => {
  const missing = join(makeTempFolder('none'), 'missing');
  const file = join(makeTempFolder('file'), 'file');
  writeFileSync(file, 'x');
  const bad: [name: string, value: string][] = [
    ['PORT', 'http'],
    ['HOST', '999.1.1.1'],
    ['CHAT_STORE', 'postgres://localhost/chat'],
    ['CHAT_STORE', 'mysql://chat:s3cret@/'],
    ['CHAT_STORE', file],
    ['CHAT_STORE', '/proc/rooms'],
    ['CHAT_STATIC', missing],
    ['CHAT_SERVER_NAME', 'two\nlines'],
    ['CHAT_DURABILITY', 'tape'],
    ['CHAT_LOG', 'loud'],
    ['TZ', 'Mars/Olympus'],
  ];
  for (const [name, value] of bad) {
    test(`${name}=${JSON.stringify(value.replace(/^\/.*/, '<path>'))}`, async () => {
      const env = { [name]: value };
      await assertRefusesToStart(
        { env, ...(name === 'CHAT_STORE' && { store: value }) },
        new RegExp(name),
      );
    });
  }
});

suite('a good value is taken', () => {
  test('CHAT_SERVER_NAME is what Chat-Server calls the replica', async () => {
    const server = await startServer({ env: { CHAT_SERVER_NAME: 'Left one' } });
    const { headers } = await get(server, '/-/healthy');
    assert.equal(headers['chat-server'], `Left one (${hostname()})`);
    await server.stop();
  });

  test('CHAT_STATIC swaps the front end without touching the server', async () => {
    const folder = makeTempFolder('static');
    writeFileSync(join(folder, 'index.html'), '<!doctype html><title>other</title>');
    mkdirSync(join(folder, 'css'));
    writeFileSync(join(folder, 'main.css'), 'body{}');
    const server = await startServer({ env: { CHAT_STATIC: folder } });
    assert.match((await get(server, '/any')).text, /<title>other</);
    assert.equal((await get(server, '/static/main.css')).text, 'body{}');
    assert.match(
      (await get(server, '/static/main.css')).headers['content-type'] ?? '',
      /^text\/css/,
    );
    await server.stop();
  });

  test('CHAT_STORE_PASSWORD_FILE is not read for a folder', async () => {
    const file = join(makeTempFolder('none'), 'missing');
    const server = await startServer({ env: { CHAT_STORE_PASSWORD_FILE: file } });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  test('a relative CHAT_STORE is where the operator stands', async () => {
    const cwd = makeTempFolder('cwd');
    const server = await startServer({ cwd, env: { CHAT_STORE: 'my-rooms' } });
    await post(server, 'a', { username: 'a', message: 'm' });
    const beside = await startServer({ store: join(cwd, 'my-rooms') });
    assert.match((await read(beside, 'a')).text, /a: m\n$/);
    await Promise.all([server.stop(), beside.stop()]);
  });
});

suite('the time zone', { skip: need('tmpfs') }, () => {
  for (const TZ of [undefined, '']) {
    test(`is the system’s ${TZ === '' ? 'with an empty TZ' : 'without TZ'}`, async () => {
      await assertZone({ wrapper: withLocalTime('Europe/Berlin'), env: { TZ } }, 'Europe/Berlin');
    });
  }

  test('is UTC on a system whose link names no zone', async () => {
    await assertZone({ wrapper: withLocalTime('Mars/Olympus'), env: { TZ: undefined } }, 'UTC');
  });
});

/** Words that run a program where the system's time zone is the one of this name. */
function withLocalTime(zone: string): string[] {
  const folder = makeTempFolder('etc');
  const file = join(folder, 'zoneinfo', zone);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  const script = `cp -a /etc ${folder} && ln -sfn ${file} ${folder}/etc/localtime`;
  const mount = `mount --bind ${folder}/etc /etc`;
  return ['unshare', '-m', 'sh', '-c', `${script} && ${mount} && exec "$@"`, 'sh'];
}

/** Starts a server, and compares what it says of its zone with the line that it writes. */
async function assertZone(options: ServerOptions, timeZone: string): Promise<void> {
  const server = await startServer(options);
  const earliest = toClock(timeZone);
  const { text } = await post(server, 'a', { username: 'a', message: 'm' });
  const written = text.slice(1, 20);
  assert.ok(earliest <= written && written <= toClock(timeZone), text);
  assert.equal((await read(server, 'a')).headers['chat-time-zone'], timeZone);
  await server.stop();
}

/** The time in a zone as lines have it. */
function toClock(timeZone: string): string {
  return new Date().toLocaleString('sv-SE', { timeZone });
}

suite('node dist/server.js', () => {
  test('serves from any working directory, with rooms and static beside package.json', async () => {
    const copy = makeTempFolder('copy');
    for (const part of ['dist', 'static', 'package.json']) {
      cpSync(join(projectFolder, part), join(copy, part), { recursive: true });
    }
    const script = join(copy, 'dist', 'server.js');
    const server = await startServer({ script, cwd: '/', env: { CHAT_STORE: undefined } });
    const { text } = await post(server, 'here', { username: 'a', message: 'm' });
    assert.equal((await get(server, '/')).status, 200);
    await server.stop();
    assert.equal(readFileSync(join(copy, 'rooms', 'here.txt'), 'utf8'), text);
  });
});

suite('the log', () => {
  test('never contains a message or a username, at any level', async () => {
    for (const level of ['debug', 'info', 'warn', 'error']) {
      const server = await startServer({ env: { CHAT_LOG: level } });
      await post(server, 'open', { username: 'secretname', message: 'secretmessage' });
      await post(server, 'open', { username: 'secretname: x', message: 'secretmessage' });
      await post(server, 'open', { username: 'secretname', message: '' });
      await post(server, 'open', { username: 'secretname', message: 'secretmessage'.repeat(9999) });
      await post(
        server,
        'open',
        { username: 'secretname', message: 'm' },
        { 'content-type': 'x/y' },
      );
      await get(server, '/chat/open?username=secretname&message=secretmessage');
      mkdirSync(join(server.store, 'broken.txt'));
      await post(server, 'broken', { username: 'secretname', message: 'secretmessage' });
      await read(server, 'broken');
      await server.stop();
      const output = [...server.stdout, ...server.stderr].join('\n');
      assert.doesNotMatch(output, /secret/, level);
      assert.match(output, /http:\/\//);
    }
  });

  test('has one line an event, whatever a request holds', async () => {
    const server = await startServer({ env: { CHAT_LOG: 'debug' } });
    await get(server, '/chat/forged%0A2018-02-25%20error%20all%20is%20lost%0A');
    await get(server, '/none/such%0Aforged', { 'user-agent': 'a\tb' });
    await server.stop();
    for (const line of server.stdout) assert.doesNotMatch(line, /^2018-02-25 error|^forged/);
    for (const line of server.stdout) assert.doesNotMatch(line, /[\x00-\x08\x0b-\x1f\x7f]/);
  });
});
