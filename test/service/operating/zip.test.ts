// npm run zip: one archive, the same bytes for the same commit, that serves where it is unzipped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, suite, test } from 'node:test';
import { unzipSync } from 'fflate';
import { get, post, read } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import { makeEnvironment, startServer } from '../../support/server.ts';

const skip = need('git');
let archive: Buffer;
let entries: Record<string, Uint8Array>;

function makeZip(zone: string): Buffer {
  const target = join(makeTempFolder('zip'), 'chat.zip');
  const script = join(projectFolder, 'scripts', 'zip.mjs');
  const env = makeEnvironment({ TZ: zone });
  const made = spawnSync(process.execPath, [script, target], { env, cwd: '/', encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  return readFileSync(target);
}

/** Unpacks the archive as any unzip would, with the times of now. */
function unpack(): string {
  const folder = makeTempFolder('unzipped');
  for (const [name, content] of Object.entries(entries)) {
    if (name.endsWith('/')) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return join(folder, 'chat');
}

suite('chat.zip', { skip }, () => {
  before(() => {
    archive = makeZip('UTC');
    entries = unzipSync(archive);
  });

  test('has the same bytes each time, in any time zone', () => {
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    assert.equal(hash(makeZip('America/Los_Angeles')), hash(archive));
    assert.equal(hash(makeZip('Pacific/Kiritimati')), hash(archive));
  });

  test('has one folder, chat/, with what an operator needs and no more', () => {
    const names = Object.keys(entries);
    assert.deepEqual(
      names.filter((name) => !name.startsWith('chat/')),
      [],
    );
    const needed = [
      'dist/server.js',
      'server.ts',
      'static/index.html',
      'rooms/.gitkeep',
      'LICENSE',
    ];
    for (const name of [...needed, 'package.json', 'package-lock.json', 'tsconfig.json']) {
      assert.ok(names.includes(`chat/${name}`), name);
    }
    for (const name of ['README.md', 'CHANGELOG.md', 'Dockerfile', 'compose.yaml', 'nginx.conf']) {
      assert.equal(names.includes(`chat/${name}`), isTracked(name), name);
    }
    const unwanted =
      /\/(test|node_modules|bench|\.git|\.build|\.ci)\/|\.test\.|rooms\/.*\.txt|\.tsbuildinfo/;
    assert.deepEqual(
      names.filter((name) => unwanted.test(name)),
      [],
    );
  });

  test('serves wherever it is unzipped, from another working directory', async () => {
    const chat = unpack();
    const script = join(chat, 'dist', 'server.js');
    const server = await startServer({ script, cwd: '/', env: { CHAT_STORE: undefined } });
    const { status, text } = await post(server, 'here', { username: 'a', message: 'm' });
    assert.equal(status, 201);
    assert.equal((await read(server, 'here')).text, text);
    assert.match((await get(server, '/')).text, /<html/i);
    assert.equal(readFileSync(join(chat, 'rooms', 'here.txt'), 'utf8'), text);
    await server.stop();
  });

  test('starts by scripts/start.mjs too, with nothing installed', async () => {
    const chat = unpack();
    const script = join(chat, 'scripts', 'start.mjs');
    const server = await startServer({ script, cwd: '/' });
    assert.equal((await get(server, '/-/ready')).status, 200);
    assert.ok(!existsSync(join(chat, 'node_modules')));
    assert.doesNotMatch(server.stdout.join('\n'), /npm|install/i);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

function isTracked(name: string): boolean {
  const listed = spawnSync('git', ['ls-files', '--error-unmatch', name], { cwd: projectFolder });
  return listed.status === 0;
}
