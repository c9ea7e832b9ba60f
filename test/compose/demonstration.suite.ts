// docker compose up, and what a visitor and an operator see of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { toFriendlyName } from '../../lib/config/server-name.ts';
import { get, post, read } from '../support/http.ts';
import { waitUntil } from '../support/server.ts';
import { type LiveStream, openLive } from '../support/sse.ts';
import { serverOf } from './load.ts';
import { type Container, docker, isOnMysql, openStack, type Stack, testImage } from './stack.ts';

suite('three replicas behind nginx', () => {
  let stack: Stack;
  let replicas: Container[];

  before(async () => {
    stack = await openStack();
    replicas = await stack.containers('chat');
  });
  after(() => stack?.remove());

  /** Repeats a request until each replica has answered one, and gives the answers. */
  async function askEach<T extends { headers: Record<string, unknown> }>(
    request: () => Promise<T>,
  ): Promise<Map<string, T>> {
    const answers = new Map<string, T>();
    for (let n = 0; n < 60 && answers.size < replicas.length; n += 1) {
      const answer = await request();
      answers.set(String(answer.headers['chat-server']), answer);
    }
    return answers;
  }

  test('each names itself in Chat-Server, by a name and its host', async () => {
    const answers = await askEach(() => read(stack, 'general'));
    const hosts = replicas.map(({ details }) => details.Config.Hostname);
    assert.equal(new Set(hosts).size, 3);
    // Two hosts may come to have one friendly name; that is why the host is there as well.
    const names = hosts.map((host) => `${toFriendlyName(host)} (${host})`);
    assert.deepEqual([...answers.keys()].sort(), names.sort());
  });

  test('a message through each is seen through all, from its answer on', async () => {
    const room = 'through each';
    let count = 0;
    const posted = await askEach(async () => {
      count += 1;
      const answer = await post(stack, room, { username: 'omri', message: `message ${count}` });
      assert.equal(answer.status, 201);
      for (const [server, { text }] of await askEach(() => read(stack, room))) {
        assert.ok(text.endsWith(answer.text), `${server} has ${answer.text}`);
      }
      return answer;
    });
    assert.equal(posted.size, 3);
    const texts = [...(await askEach(() => read(stack, room))).values()];
    assert.equal(texts.length, 3);
    for (const { text, headers } of texts) {
      assert.equal(text, texts[0]!.text);
      assert.equal(text.split('\n').length, count + 1);
      assert.equal(headers.etag, texts[0]!.headers.etag);
    }
  });

  test('a live reader on each hears what is said through any', async () => {
    const room = 'live on each';
    const streams = new Map<string, LiveStream>();
    for (let n = 0; n < 60 && streams.size < 3; n += 1) {
      const stream = await openLive(stack, room);
      assert.equal(stream.status, 200);
      const server = serverOf(stream);
      if (streams.has(server)) stream.close();
      else streams.set(server, stream);
    }
    assert.equal(streams.size, 3);
    const posted = await askEach(() => post(stack, room, { username: 'noa', message: 'hi' }));
    assert.equal(posted.size, 3);
    const text = (await read(stack, room)).text;
    for (const stream of streams.values()) {
      const heard = () => stream.events.filter(({ type }) => type === 'message');
      await waitUntil('a reader with every line', () => heard().length >= 3);
      assert.equal(
        heard()
          .map(({ data }) => `${data}\n`)
          .join(''),
        text,
      );
      stream.close();
    }
  });

  test('the first event of a stream comes within a second through nginx', async () => {
    await post(stack, 'first event', { username: 'noa', message: 'hi' });
    const beganMs = performance.now();
    const stream = await openLive(stack, 'first event');
    assert.equal(stream.headers['content-type']?.split(';')[0], 'text/event-stream');
    const first = await stream.waitFor('a name', () => true);
    assert.equal(first.type, 'server');
    const line = await stream.waitFor('a line', ({ type }) => type === 'message');
    assert.ok(line.atMs - beganMs < 1000, `the first line came after ${line.atMs - beganMs} ms`);
    stream.close();
  });

  test('a poll costs a 304, compressed or not', async () => {
    const room = 'polled';
    const message = 'a word again '.repeat(100);
    await post(stack, room, { username: 'noa', message });
    for (const encoding of ['identity', 'gzip']) {
      const headers = { 'accept-encoding': encoding };
      const answer = await read(stack, room, headers);
      assert.equal(answer.headers['content-encoding'] ?? 'identity', encoding);
      const again = await read(stack, room, { ...headers, 'if-none-match': answer.headers.etag });
      assert.equal(again.status, 304, `${encoding}, ${answer.headers.etag}`);
    }
    const tail = await read(stack, room, { range: 'bytes=-10' });
    assert.equal(tail.status, 206);
    assert.equal(tail.text, (await read(stack, room)).text.slice(-10));
  });

  test('a form of this site is taken, one of another site refused', async () => {
    const fields = { username: 'noa', message: 'hi' };
    const own = await post(stack, 'forms', fields, { origin: `http://127.0.0.1:${stack.port}` });
    assert.equal(own.status, 201);
    const other = await post(stack, 'forms', fields, { origin: 'http://127.0.0.2' });
    assert.equal(other.status, 403);
  });

  test('the operators’ pages are not reachable through nginx, however they are written', async () => {
    for (const page of ['healthy', 'ready', 'metrics']) {
      for (const prefix of [
        '/-/',
        '//-/',
        '/%2D/',
        '/%2d/',
        '/x/../-/',
        '/./-/',
        '/-//',
        '/-/./',
      ]) {
        const answer = await get(stack, `${prefix}${page}`);
        assert.ok(answer.status >= 400 && answer.status < 500, `${prefix}${page} ${answer.status}`);
        assert.doesNotMatch(answer.text, /process_|chat_|# HELP|ready/);
      }
    }
    assert.equal((await get(stack, '/-/ready')).status, 404);
  });

  test('every container is non-root, read-only, without capabilities and bounded', async () => {
    const nginx = await stack.containers('nginx');
    assert.equal(nginx.length, 1);
    for (const { name, details } of [...replicas, ...nginx]) {
      const { HostConfig: host, Config: config } = details;
      assert.match(config.User, /^[1-9]\d*:[1-9]\d*$/, `${name} runs as ${config.User}`);
      assert.equal(host.ReadonlyRootfs, true, name);
      assert.deepEqual(host.CapDrop, ['ALL'], name);
      assert.deepEqual(host.CapAdd ?? [], [], name);
      assert.ok(host.SecurityOpt?.includes('no-new-privileges:true'), name);
      assert.ok(host.Memory > 0 && host.Memory <= 512 << 20, `${name}: ${host.Memory}`);
      assert.equal(host.LogConfig.Config['max-size'], '10m', name);
      assert.equal(host.LogConfig.Config['max-file'], '3', name);
    }
    for (const { id, details } of replicas) {
      const [kind, ...check] = details.Config.Healthcheck.Test;
      assert.equal(kind, 'CMD');
      await docker('exec', id, ...check);
      assert.deepEqual(details.HostConfig.PortBindings ?? {}, {}, 'a replica publishes no port');
    }
    await assertCannotWrite(replicas[0]!);
  });

  test('by default it is three replicas and port 80', async () => {
    const bare = JSON.parse(await docker('compose', 'config', '--format', 'json')) as {
      services: Record<string, { ports?: { published: string }[]; deploy?: { replicas?: number } }>;
    };
    assert.equal(bare.services.nginx?.ports?.[0]?.published, '80');
    assert.equal(bare.services.chat?.ports, undefined);
    assert.equal(bare.services.chat?.deploy?.replicas, 3);
  });

  test('the rooms survive down and up', async () => {
    const room = 'kept';
    await post(stack, room, { username: 'noa', message: 'still here' });
    const before = await read(stack, room);
    await stack.compose('down');
    assert.deepEqual(await stack.containers('chat'), []);
    await stack.compose('up', '--detach');
    await stack.waitUntilServing();
    const now = await read(stack, room);
    assert.equal(now.text, before.text);
    assert.equal(now.headers['chat-cursor'], before.headers['chat-cursor']);
    assert.equal((await post(stack, room, { username: 'noa', message: 'more' })).status, 201);
  });
});

/** Node itself, inside the container: only the rooms can be written, by nobody who matters. */
async function assertCannotWrite({ id }: Container): Promise<void> {
  const script = `
    const fs = require('node:fs');
    const writable = (folder) => {
      try { fs.writeFileSync(folder + '/.probe', ''); fs.rmSync(folder + '/.probe'); return true; }
      catch { return false; }
    };
    console.log(JSON.stringify({
      uid: process.getuid(), zone: process.env.TZ,
      writable: ['/', '/etc', '/chat', '/chat/dist', '/chat/rooms'].filter(writable),
    }));`;
  const said = JSON.parse(await docker('exec', id, 'node', '-e', script)) as object;
  assert.deepEqual(said, { uid: 10001, zone: 'UTC', writable: ['/chat/rooms'] });
}

suite('the image', { skip: isOnMysql && 'inspected where the rooms are in a folder' }, () => {
  test('is at most 130 MB, our own layers under 1 MB', async () => {
    const size = Number(await docker('image', 'inspect', '--format', '{{.Size}}', testImage));
    assert.ok(size > 0 && size <= 130e6, `${size} bytes`);
    const history = await docker('history', '--human=false', '--format', '{{.Size}}', testImage);
    const layers = history.split('\n').map(Number);
    const own = layers.sort((a, b) => b - a).slice(1);
    const ownBytes = own.reduce((sum, layer) => sum + layer, 0);
    assert.ok(ownBytes > 0 && ownBytes < 1e6, `${ownBytes} bytes besides Node and its libraries`);
  });

  test('holds Node, its libraries and the service, and no shell or package manager', async () => {
    const files = await listImage();
    for (const wanted of ['usr/local/bin/node', 'chat/dist/server.js', 'chat/static/index.html']) {
      assert.ok(files.includes(wanted), wanted);
    }
    const programs = files.filter((path) => /(^|\/)s?bin\/./.test(path));
    assert.deepEqual(programs, ['usr/local/bin/node']);
    assert.deepEqual(
      files.filter((path) => /npm|node_modules|(^|\/)(ba|da|a)?sh$/.test(path)),
      [],
    );
    await assert.rejects(docker('run', '--rm', '--entrypoint', '/bin/sh', testImage, '-c', 'true'));
  });

  test('says what it is, who runs it and when it is well', async () => {
    const [{ Config: config }] = JSON.parse(await docker('image', 'inspect', testImage));
    assert.equal(config.User, '10001:10001');
    assert.equal(config.Labels['org.opencontainers.image.title'], 'chat');
    assert.equal(config.Labels['org.opencontainers.image.licenses'], 'MIT');
    assert.ok(config.Env.includes('TZ=UTC'));
    // The one probe that makes no disk write: an idle service lets its disk sleep.
    assert.match(config.Healthcheck.Test.join(' '), /\/-\/healthy/);
    assert.ok(config.Healthcheck.Interval >= 30e9, 'it is rarely asked');
  });
});

/** The paths of all files in the image, as a container of it would see them. */
async function listImage(): Promise<string[]> {
  const id = await docker('create', testImage);
  try {
    const pipe = spawn('sh', ['-c', 'docker export "$1" | tar -t', 'sh', id], { stdio: 'pipe' });
    let listed = '';
    pipe.stdout.on('data', (chunk) => {
      listed += chunk;
    });
    const code = await new Promise((resolve) => pipe.once('close', resolve));
    assert.equal(code, 0);
    return listed.split('\n').filter((path) => path && !path.endsWith('/'));
  } finally {
    await docker('rm', '--volumes', id);
  }
}
