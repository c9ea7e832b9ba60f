// The README's own words: its curl examples are run as they stand, its table is the code's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { need } from '../../support/need.ts';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

const readme = readFileSync(join(projectFolder, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^curl .*$/gm)].map(([line]) => line);
interface RunOptions {
  cwd: string;
  isEndless?: boolean;
}

const LINE = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] omri: hi everybody!\n$/;

function findExample(part: string): string {
  const found = examples.filter((line) => line.includes(part));
  assert.equal(found.length, 1, `one example has ${part} in it`);
  return found[0]!;
}

/** Runs an example against a server; one that never ends is stopped after its first line. */
function runExample(line: string, server: Server, { cwd, isEndless = false }: RunOptions) {
  const command = line.replaceAll('http://localhost:8080', server.url);
  assert.notEqual(command, line, 'the example names the address that the service has by default');
  const child = spawn('bash', ['-c', `exec ${command} -sS`], { cwd, timeout: 20_000 });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (isEndless && stdout.includes('\n')) child.kill();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

suite('the README', { skip: need('curl') }, () => {
  let server: Server;
  const cwd = makeTempFolder('readme');
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('has six curl examples', () => assert.equal(examples.length, 6));

  test('posts a message and shows the line as it was stored', async () => {
    const { code, stdout, stderr } = await runExample(findExample(' -d '), server, { cwd });
    assert.equal(code, 0, stderr);
    assert.match(stdout, LINE);
  });

  test('reads the room, its end, and what is new', async () => {
    const whole = await runExample('curl http://localhost:8080/chat/lobby', server, { cwd });
    assert.match(whole.stdout, LINE);
    const tail = await runExample(findExample('-r -65536'), server, { cwd });
    assert.equal(tail.stdout, whole.stdout);
    await runExample(findExample(' -d '), server, { cwd });
    const rest = await runExample(findExample('-r 42-'), server, { cwd });
    assert.match(rest.stdout, LINE, 'the second message, as the first one has 42 bytes');
  });

  test('follows the room', async () => {
    const { stdout } = await runExample(findExample('?follow'), server, { cwd, isEndless: true });
    assert.match(stdout.slice(0, stdout.indexOf('\n') + 1), LINE);
  });

  test('keeps a mirror that grows by what is new', async () => {
    const mirror = findExample('-C -');
    const file = join(cwd, 'lobby.txt');
    assert.equal((await runExample(mirror, server, { cwd })).code, 0);
    const first = readFileSync(file, 'utf8');
    assert.match(first, /hi everybody!\n$/);
    await runExample(findExample(' -d '), server, { cwd });
    assert.equal((await runExample(mirror, server, { cwd })).code, 0);
    const second = readFileSync(file, 'utf8');
    assert.ok(second.startsWith(first) && second.length === first.length + 42);
  });
});

suite('docs/http.md', { skip: need('curl') }, () => {
  const guide = readFileSync(join(projectFolder, 'docs/http.md'), 'utf8');
  const section = /^## Post a message\n[\s\S]*?(?=^## )/m.exec(guide)?.[0] ?? '';
  // A block of commands, and the indented block of what they print.
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```\n\n((?: {4}.*\n|\n(?= {4}))+)/g)];

  test('shows what its examples of a POST print', async (t) => {
    assert.ok(blocks.some(([, commands]) => commands!.includes('application/json')));
    const server = await startServer();
    t.after(() => server.stop());
    const cwd = makeTempFolder('guide');
    for (const [, commands, shown] of blocks) {
      let output = '';
      for (const command of commands!.trim().split('\n')) {
        output += (await runExample(command, server, { cwd })).stdout;
      }
      const printed = hideChanging(output).split(/\r?\n/);
      for (const line of hideChanging(shown!.replace(/^ {4}/gm, '')).trim().split('\n')) {
        const index = printed.indexOf(line);
        assert.notEqual(index, -1, `${commands} prints ${line} and not ${output}`);
        printed.splice(0, index + 1);
      }
    }
  });
});

/** Hides what differs from run to run: times, the server and epochs. */
function hideChanging(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')
    .replace(/^Chat-Server: .*$/gm, 'Chat-Server: SERVER')
    .replace(/[0-9a-f]{8}-(?=\d)/g, 'EPOCH-');
}

suite('the documents', () => {
  test('the README’s table has the environment variables that the configuration reads', () => {
    const source = readFileSync(join(projectFolder, 'lib/config/config.ts'), 'utf8');
    const read = source.match(/(?<=')(?:CHAT_[A-Z_]+|PORT|HOST|TZ)(?=')/g) ?? [];
    const rows = readme.match(/^\| `[A-Z_`, ]+ \|/gm)?.join('') ?? '';
    const shown = rows.match(/[A-Z_]+/g) ?? [];
    assert.deepEqual(shown.toSorted(), [...new Set(read)].toSorted());
  });

  test('link only to files that exist', () => {
    const documents = ['.', 'docs', 'docs/decisions'].flatMap((folder) =>
      readdirSync(join(projectFolder, folder))
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(folder, name)),
    );
    assert.ok(documents.includes('README.md'));
    for (const document of documents) {
      const text = readFileSync(join(projectFolder, document), 'utf8');
      for (const [, link] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        const target = join(projectFolder, dirname(document), link!);
        assert.ok(existsSync(target), `${document} links to ${link}`);
      }
    }
  });
});
