// Clients that others wrote, with their own habits: text browsers, command lines, libraries.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { EventSource } from 'eventsource';
import { startProxy } from '../browser/proxy.ts';
import { post, read } from '../support/http.ts';
import { need } from '../support/need.ts';
import { makeTempFolder } from '../support/paths.ts';
import { type Server, startServer, waitUntil, withDeadline } from '../support/server.ts';

const form = 'username=ann&message=hello';
const hello = /^\[.{19}\] ann: hello\n$/;

// It has no types of its own.
const { EventSourcePolyfill } = createRequire(import.meta.url)('event-source-polyfill') as {
  EventSourcePolyfill: typeof EventSource;
};

interface Result {
  code: number | null;
  out: string;
  folder: string;
}

/** Runs a program in an empty folder until it ends. */
async function run(command: string, args: string[], input = '', folder = makeTempFolder('client')) {
  const child = spawn(command, args, { cwd: folder, env: { ...process.env, HOME: folder } });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      out += chunk;
    });
  }
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = new Promise<Result>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, folder }));
  });
  return withDeadline(ended, 30_000, () => `${command} is still there: ${out}`);
}

suite('a client', { concurrency: true }, () => {
  let server: Server;
  before(async () => {
    server = await startServer({ env: { CHAT_DURABILITY: 'memory' } });
  });
  after(() => server.kill());

  const roomOf = (name: string): [url: string, text: () => Promise<string>] => [
    `${server.url}/chat/${name}`,
    async () => (await read(server, name)).text,
  ];

  test('wget posts, and keeps a copy by going on where it ended', {
    skip: need('wget'),
  }, async () => {
    const [url, text] = roomOf('wget');
    const posted = await run('wget', ['-q', '-O', '-', `--post-data=${form}`, url]);
    assert.match(posted.out, hello);
    const { folder } = await run('wget', ['-c', '-O', 'copy.txt', url]);
    await post(server, 'wget', { username: 'ben', message: 'more' });
    for (const when of ['with something new', 'with nothing new']) {
      const again = await run('wget', ['-c', '-O', 'copy.txt', url], '', folder);
      assert.equal(again.code, 0, `${when}: ${again.out}`);
      assert.equal(readFileSync(join(folder, 'copy.txt'), 'utf8'), await text(), when);
    }
  });

  test('httpie posts forms and JSON', { skip: need('httpie') }, async () => {
    const [url, text] = roomOf('httpie');
    const fields = ['username=ann', 'message=hello'];
    for (const kind of ['--form', '--json', '--multipart']) {
      const args = ['--ignore-stdin', '--check-status', '--body', kind, 'POST', url, ...fields];
      const { code, out } = await run('http', args);
      assert.equal(code, 0, out);
      assert.match(out, hello);
    }
    assert.equal((await text()).split('\n').length - 1, 3);
  });

  test('lynx and w3m post a form once and come to the page', {
    skip: need('lynx', 'w3m'),
  }, async () => {
    const [lynx, inLynx] = roomOf('lynx');
    const { out } = await run('lynx', ['-dump', '-post_data', lynx], `${form}\n---\n`);
    assert.match(await inLynx(), hello, out);
    assert.doesNotMatch(out, /ann: hello/, 'the page, not the line');
    const [w3m, inW3m] = roomOf('w3m');
    const folder = makeTempFolder('w3m');
    writeFileSync(join(folder, 'form'), form);
    await run('w3m', ['-dump', '-post', 'form', w3m], '', folder);
    assert.match(await inW3m(), hello);
  });

  // It takes an informational answer for the answer, and the answer for that to the next request.
  test('Python gets to each request on a connection its own answer', {
    skip: need('python'),
  }, async () => {
    const [url, text] = roomOf('python');
    const script = `
import http.client, requests, sys, urllib.parse
url = sys.argv[1]
agent = {'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64)'}
session = requests.Session()
session.headers.update(agent)
connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
for n in range(5):
    answer = session.post(url, data={'username': 'ann', 'message': 'r%d' % n})
    assert answer.status_code == 201 and answer.text.endswith(': r%d\\n' % n), answer.text
    body = 'username=ann&message=c%d' % n
    headers = {**agent, 'Content-Type': 'application/x-www-form-urlencoded'}
    connection.request('POST', urllib.parse.urlsplit(url).path, body, headers)
    answer = connection.getresponse()
    line = answer.read().decode()
    assert answer.status == 201 and line.endswith(': c%d\\n' % n), line
    whole = session.get(url).text
    assert whole.endswith(line), whole
`;
    const { code, out } = await run('python3', ['-c', script, url]);
    assert.equal(code, 0, out);
    assert.equal((await text()).split('\n').length - 1, 10);
  });

  for (const [name, Source] of [
    ['eventsource', EventSource],
    ['event-source-polyfill', EventSourcePolyfill],
  ] as const) {
    test(`${name} resumes after a cut without a line twice`, async (t) => {
      const proxy = await startProxy(server.port);
      t.after(() => proxy.close());
      await post(server, name, { username: 'ann', message: 'before' });
      const source = new Source(`${proxy.url}/chat/${name}`);
      t.after(() => source.close());
      const seen: string[] = [];
      source.onmessage = ({ data }: { data: string }) => void seen.push(data.slice(22));
      const expected = ['ann: before'];
      for (const message of ['one', 'two']) {
        await waitUntil('it has caught up', () => seen.length === expected.length);
        proxy.cut();
        await post(server, name, { username: 'ann', message });
        expected.push(`ann: ${message}`);
      }
      await waitUntil('it has come back', () => seen.length >= expected.length);
      assert.deepEqual(seen, expected);
    });
  }
});
