// Contract §7: a service that is told to go loses no request.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openWire, post, read, type Wire } from '../../support/http.ts';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import {
  makeEnvironment,
  type Server,
  startServer,
  waitUntil,
  watch,
  withDeadline,
} from '../../support/server.ts';

const ended = { code: 0, signal: null };
const type = 'Content-Type: application/x-www-form-urlencoded\r\n';

/** Sends the head of a POST, and waits until the server has read it: it says that it wants the body. */
async function beginPost(server: Pick<Server, 'port'>): Promise<Wire> {
  const wire = await openWire(server);
  const head = `POST /chat/a HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n${type}`;
  wire.send(`${head}Expect: 100-continue\r\n\r\n`);
  await wire.waitFor(/^HTTP\/1\.1 100 /);
  return wire;
}

async function isRefusing(server: Pick<Server, 'port'>): Promise<boolean> {
  const socket = connect(server.port, '127.0.0.1');
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => false),
    once(socket, 'error').then(() => true),
  ]).catch(() => true);
  socket.destroy();
  return outcome;
}

for (const name of ['SIGTERM', 'SIGINT'] as const) {
  suite(name, () => {
    test('ends an idle service with 0', async () => {
      const server = await startServer();
      server.signal(name);
      assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still there'), ended);
      assert.deepEqual(server.stderr, []);
    });

    test('serves everybody who had connected before, though nobody was accepted yet', async () => {
      const server = await startServer();
      server.signal('SIGSTOP');
      const wires = await Promise.all(Array.from({ length: 50 }, () => openWire(server)));
      const body = 'username=a&message=m';
      const head = `POST /chat/a HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${type}`;
      for (const wire of wires) wire.send(`${head}\r\n${body}`);
      server.signal(name);
      server.signal('SIGCONT');
      for (const text of await Promise.all(wires.map((wire) => wire.waitForEnd()))) {
        assert.match(text, /^HTTP\/1\.1 201 /);
      }
      assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still there'), ended);
    });

    test('lets a request that is under way end well', async () => {
      const server = await startServer();
      const wire = await beginPost(server);
      wire.send('username=a');
      server.signal(name);
      await waitUntil('refusing new connections', () => isRefusing(server), 5_000);
      wire.send('&message=m');
      const text = await wire.waitForEnd();
      assert.match(text, /\r\n\r\nHTTP\/1\.1 201 /);
      assert.match(text, /connection: close/i);
      assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still there'), ended);
      const next = await startServer({ store: server.store });
      assert.match((await read(next, 'a')).text, /^\[.{19}\] a: m\n$/);
      await next.stop();
    });
  });
}

suite('while it drains', { concurrency: true }, () => {
  test('what still arrives on an idle kept-alive connection is served, then closed', async () => {
    const server = await startServer();
    const wires = await Promise.all(Array.from({ length: 5 }, () => openWire(server)));
    for (const wire of wires) {
      wire.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
      await wire.waitFor(/200 OK/);
    }
    server.signal('SIGTERM');
    await waitUntil('refusing new connections', () => isRefusing(server), 5_000);
    // As nginx would: it has not yet seen that this upstream is going.
    for (const [n, wire] of wires.entries()) {
      const body = `username=a&message=${n}`;
      wire.send(`POST /chat/late HTTP/1.1\r\nHost: a\r\n${type}`);
      wire.send(`Content-Length: ${body.length}\r\n\r\n${body}`);
    }
    for (const wire of wires) {
      const text = await wire.waitForEnd();
      const late = text.slice(text.indexOf('HTTP/1.1 201'));
      assert.match(late, /^HTTP\/1\.1 201 /);
      assert.match(late, /connection: close/i);
    }
    assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still there'), ended);
    const next = await startServer({ store: server.store });
    assert.equal((await read(next, 'late')).text.split('\n').length, 6);
    await next.stop();
  });

  test('/-/ready is 503 and /-/healthy 200', async () => {
    const server = await startServer();
    const wire = await openWire(server);
    wire.send('GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n');
    await wire.waitFor(/200 OK/);
    const other = await openWire(server);
    other.send('GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n');
    await other.waitFor(/200 OK/);
    server.signal('SIGTERM');
    await waitUntil('refusing new connections', () => isRefusing(server), 5_000);
    wire.send('GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n');
    other.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await wire.waitForEnd(), /HTTP\/1\.1 503 [\s\S]*\r\n\r\n.*(drain|shut|stop)/i);
    assert.match(await other.waitForEnd(), /200 OK[\s\S]*200 OK/);
    assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still there'), ended);
  });

  test('a monitor that keeps its connection by the server’s word does not hold it up', async () => {
    const server = await startServer();
    for (const path of ['/-/healthy', '/chat/a', '/'])
      await (await fetch(server.url + path)).text();
    server.signal('SIGTERM');
    // A connection that nobody closes holds it up for 8 s.
    assert.deepEqual(await withDeadline(server.exited, 7_000, () => 'still there'), ended);
  });

  test('a client that never ends its request holds it up for 10 s at most', async () => {
    const server = await startServer();
    const wires = [await beginPost(server), await openWire(server), await openWire(server)];
    wires[0]!.send('user');
    wires[1]!.send('GET /chat/a HT');
    server.signal('SIGTERM');
    assert.deepEqual(await withDeadline(server.exited, 10_500, () => 'still there'), ended);
    for (const wire of wires) wire.close();
  });

  test('a reader that stands still holds it up for 10 s at most', async () => {
    const server = await startServer();
    const message = 'x'.repeat(4000);
    for (let n = 0; n < 40; n += 1) {
      const many = Array.from({ length: 50 }, () =>
        post(server, 'big', { username: 'a', message }),
      );
      await Promise.all(many);
    }
    const wire = await openWire(server);
    wire.send('GET /chat/big HTTP/1.1\r\nHost: a\r\n\r\n');
    await wire.waitFor(/^HTTP\/1\.1 200 /);
    wire.socket.pause();
    server.signal('SIGTERM');
    assert.deepEqual(await withDeadline(server.exited, 10_500, () => 'still there'), ended);
    wire.close();
  });

  test('a second signal ends it at once', async () => {
    const server = await startServer();
    const wire = await beginPost(server);
    server.signal('SIGTERM');
    await server.waitForLine(/draining/);
    server.signal('SIGTERM');
    // The request alone would hold it up for 8 s.
    assert.deepEqual(await withDeadline(server.exited, 5_000, () => 'still there'), ended);
    wire.close();
  });

  test('under load nothing that was acknowledged is lost, and nobody is cut off', async () => {
    const server = await startServer();
    const acknowledged: string[] = [];
    const cut: string[] = [];
    let isGoing = false;
    const clients = Array.from({ length: 8 }, async (_, client) => {
      const wire = await openWire(server);
      for (let n = 0; ; n += 1) {
        const body = `username=c${client}&message=${n}`;
        const before = wire.received().length;
        wire.send(`POST /chat/load HTTP/1.1\r\nHost: a\r\n${type}`);
        wire.send(`Content-Length: ${body.length}\r\n\r\n${body}`);
        const isAnswered = () => /\r\n\r\n[^\n]*\n$/.test(wire.received().slice(before));
        await waitUntil('answered', () => isAnswered() || wire.socket.destroyed, 15_000);
        const answer = wire.received().slice(before);
        if (!/^HTTP\/1\.1 201 /.test(answer)) {
          cut.push(`${client}/${n}: ${JSON.stringify(answer)}`);
          break;
        }
        acknowledged.push(`c${client}: ${n}`);
        if (/connection: close/i.test(answer)) break;
        if (isGoing && wire.socket.destroyed) break;
      }
      wire.close();
    });
    await waitUntil('busy', () => acknowledged.length > 100);
    isGoing = true;
    server.signal('SIGTERM');
    await Promise.all(clients);
    assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still there'), ended);
    assert.deepEqual(cut, [], 'each request that was sent got its answer');
    const next = await startServer({ store: server.store });
    const lines = (await read(next, 'load')).text.split('\n').slice(0, -1);
    const stored = lines.map((line) => line.replace(/^\[.{19}\] /, ''));
    assert.deepEqual([...stored].sort(), [...acknowledged].sort());
    await next.stop();
  });
});

suite('npm start', () => {
  const start = async () => {
    const env = makeEnvironment({ CHAT_STORE: makeTempFolder('rooms') });
    // A group of its own, as a terminal gives to what it runs.
    const child = spawn('npm', ['start'], {
      cwd: projectFolder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const process = watch(child, { isGroup: true });
    const line = await process.waitForLine(/http:\/\//, 120_000);
    return { process, port: Number(/:(\d+)/.exec(line.slice(line.indexOf('//')))![1]) };
  };

  test('serves, and Ctrl+C, which reaches npm and the service both, still drains', async () => {
    const { process: npm, port } = await start();
    const wire = await beginPost({ port });
    process.kill(-npm.pid, 'SIGINT');
    await waitUntil('refusing new connections', () => isRefusing({ port }), 5_000);
    wire.send('username=a&message=m');
    assert.match(await wire.waitForEnd(), /\r\n\r\nHTTP\/1\.1 201 /);
    await withDeadline(npm.exited, 15_000, () => 'npm is still there');
  });

  test('ends with the service when npm alone is told', async () => {
    const { process: npm, port } = await start();
    npm.signal('SIGTERM');
    await withDeadline(npm.exited, 15_000, () => 'npm is still there');
    assert.ok(await isRefusing({ port }), 'the service went with it');
  });

  test('is the build and the server in one process: scripts/start.mjs ends with 0', async () => {
    const script = join(projectFolder, 'scripts', 'start.mjs');
    const server = await startServer({ script, cwd: '/' });
    assert.deepEqual(await server.stop(), ended);
  });
});
