// The README's own words: its curl examples are run as they stand, its table is the code's.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { need } from '../support/need.ts';
import { makeTempFolder, projectFolder } from '../support/paths.ts';
import { type Server, startServer } from '../support/server.ts';

const readme = readFileSync(join(projectFolder, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^curl .*$/gm)].map(([line]) => line);
const LINE = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] omri: hi everybody!\n$/;

function findExample(part: string): string {
  const found = examples.filter((line) => line.includes(part));
  assert.equal(found.length, 1, `one example has ${part} in it`);
  return found[0]!;
}

function runExample(line: string, server: Server, cwd: string, timeoutMs?: number) {
  const command = line.replaceAll('http://localhost:8080', server.url);
  assert.notEqual(command, line, 'the example names the address that the service has by default');
  const child = spawn('bash', ['-c', `exec ${command} -sS`], { cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (timeoutMs !== undefined && stdout.includes('\n')) child.kill();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const timer = setTimeout(() => child.kill(), timeoutMs ?? 20_000);
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

describe('the README', { skip: need('curl') }, () => {
  let server: Server;
  const folder = makeTempFolder('readme');
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  it('has six curl examples', () => assert.equal(examples.length, 6));

  it('posts a message and shows the line as it was stored', async () => {
    const { code, stdout, stderr } = await runExample(findExample(' -d '), server, folder);
    assert.equal(code, 0, stderr);
    assert.match(stdout, LINE);
  });

  it('reads the room, its end, and what is new', async () => {
    const whole = await runExample('curl http://localhost:8080/chat/lobby', server, folder);
    assert.match(whole.stdout, LINE);
    const tail = await runExample(findExample('-r -65536'), server, folder);
    assert.equal(tail.stdout, whole.stdout);
    await runExample(findExample(' -d '), server, folder);
    const rest = await runExample(findExample('-r 42-'), server, folder);
    assert.match(rest.stdout, LINE, 'the second message, as the first one has 42 bytes');
  });

  it('follows the room', async () => {
    const { stdout } = await runExample(findExample('?follow'), server, folder, 20_000);
    assert.match(stdout.slice(0, stdout.indexOf('\n') + 1), LINE);
  });

  it('keeps a mirror that grows by what is new', async () => {
    const mirror = findExample('-C -');
    const file = join(folder, 'lobby.txt');
    assert.equal((await runExample(mirror, server, folder)).code, 0);
    const first = readFileSync(file, 'utf8');
    assert.match(first, /hi everybody!\n$/);
    await runExample(findExample(' -d '), server, folder);
    assert.equal((await runExample(mirror, server, folder)).code, 0);
    const second = readFileSync(file, 'utf8');
    assert.ok(second.startsWith(first) && second.length === first.length + 42);
  });
});

describe('the README, as a page', () => {
  it('names every environment variable that the configuration reads', () => {
    const source = readFileSync(join(projectFolder, 'lib/config/config.ts'), 'utf8');
    const names = new Set(
      [...source.matchAll(/'((?:CHAT_[A-Z_]+)|PORT|HOST|TZ)'/g)].map((m) => m[1]!),
    );
    assert.ok(names.size >= 8, 'the configuration was understood');
    for (const name of names) assert.ok(readme.includes(`\`${name}\``), `${name} is in the README`);
  });

  it('links only to files that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => match[1]!);
    assert.ok(links.length > 5);
    for (const link of links) assert.ok(existsSync(join(projectFolder, link)), link);
  });
});
