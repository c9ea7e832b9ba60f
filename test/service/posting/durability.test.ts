// Acknowledged means on disk (contract §1), seen in the system calls; and what a failing disk does.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Answer, ask, get, post, read } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { pause, type Server, startServer, waitUntil } from '../../support/server.ts';
import { attachTracer, listJournals } from '../../support/strace.ts';

const writes = 'write,writev,pwrite64,pwritev,pwritev2';
const syncs = 'fsync,fdatasync';
const message = { username: 'a', message: 'durable' };

/** Stores one message in a new and one in an existing room, and gives the system calls in order. */
async function traceTwoPosts(durability: string): Promise<{ calls: string[]; server: Server }> {
  const log = join(makeTempFolder('trace'), 'log');
  const wrapper = [
    'strace',
    '-D',
    '-f',
    '-y',
    '-s',
    '64',
    '-o',
    log,
    '-e',
    `trace=${writes},${syncs}`,
  ];
  const server = await startServer({ wrapper, env: { CHAT_DURABILITY: durability } });
  assert.equal((await post(server, 'r', message)).status, 201);
  assert.equal((await post(server, 'r', message)).status, 201);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  const lastLine = new RegExp(`^${server.pid} +\\+\\+\\+ exited with 0`, 'm');
  const isWhole = () => lastLine.test(readFileSync(log, 'utf8'));
  await waitUntil('told to the end', isWhole);
  // A call that another thread interrupts is logged in two halves: it counts where it ended.
  const calls: string[] = [];
  const begun = new Map<string, string>();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (call.endsWith('<unfinished ...>')) begun.set(thread, call);
    else if (call.startsWith('<...')) calls.push(`${begun.get(thread)} ${call}`);
    else calls.push(call);
  }
  return { calls, server };
}

const isWrite = (call: string) => /^p?writev?(64|2)?\(/.test(call);
const isSync = (call: string) => /^f(data)?sync\(/.test(call);

const isJournal = (call: string) => /\/\.journal\/[0-9a-f]{16}-\d\.journal>/.test(call);

suite('a message that is acknowledged', { skip: need('linux', 'strace') }, () => {
  test('was written and synced before the answer: a new room with its name, another in the journal', async () => {
    const { calls, server } = await traceTwoPosts('disk');
    const isRoom = (call: string) => call.includes(`<${join(server.store, 'r.txt')}>`);
    const isFolder = (call: string) => call.includes(`<${server.store}>`);
    const isAnswer = (call: string) => isWrite(call) && call.includes('HTTP/1.1 201');
    /** Finds calls in this order, and gives what comes after them. */
    const follow = (from: string[], ...steps: [string, (call: string) => boolean][]): string[] => {
      let rest = from;
      for (const [what, isIt] of steps) {
        const at = rest.findIndex(isIt);
        const next = rest.findIndex(isAnswer);
        assert.ok(at >= 0 && at <= next, `${what}: call ${at}, and the answer is call ${next}`);
        rest = rest.slice(at + 1);
      }
      return rest;
    };
    const second = follow(
      calls,
      ['the room is written', (call) => isWrite(call) && isRoom(call)],
      ['the room is synced', (call) => isSync(call) && isRoom(call)],
      ['its name is synced', (call) => isSync(call) && isFolder(call)],
      ['the answer', isAnswer],
    );
    follow(
      second,
      ['the room is written', (call) => isWrite(call) && isRoom(call)],
      ['the journal is written', (call) => isWrite(call) && isJournal(call)],
      ['the journal is synced', (call) => isSync(call) && isJournal(call)],
      ['the answer', isAnswer],
    );
    const answered = second.findIndex(isAnswer);
    assert.ok(!second.slice(0, answered).some((call) => isSync(call) && isRoom(call)));
  });

  test('with CHAT_DURABILITY=memory is written, not synced', async () => {
    const { calls, server } = await traceTwoPosts('memory');
    const file = `<${join(server.store, 'r.txt')}>`;
    assert.equal(calls.filter((call) => isWrite(call) && call.includes(file)).length, 2);
    assert.deepEqual(calls.filter(isSync), []);
    assert.ok(!existsSync(join(server.store, '.journal')));
  });
});

suite('a poll while nothing is said', { skip: need('linux', 'strace') }, () => {
  test('gets its 304 without the text being opened', async () => {
    const store = makeTempFolder('rooms');
    const log = join(makeTempFolder('trace'), 'log');
    const wrapper = ['strace', '-D', '-f', '-y', '-o', log, '-e', 'trace=open,openat'];
    const server = await startServer({ store, wrapper });
    await post(server, 'r', message);
    const etag = (await read(server, 'r')).headers.etag!;
    const countOpens = async (path: string) => {
      // The trace is written a moment behind the traced.
      await pause(500);
      return readFileSync(log, 'utf8').split(path).length - 1;
    };
    const path = `${join(store, 'r.txt')}"`;
    const before = await countOpens(path);
    assert.ok(before > 0, 'the trace sees the room being opened');
    for (let n = 0; n < 50; n += 1) {
      assert.equal((await read(server, 'r', { 'if-none-match': etag })).status, 304);
    }
    assert.equal(await countOpens(path), before);
    await server.stop();
  });
});

/** Starts a server, and has it write to a room and to its journal. */
async function startWithJournal(): Promise<{ server: Server; path: string; text: string }> {
  const server = await startServer();
  const texts: string[] = [];
  for (let n = 0; n < 2; n += 1) texts.push((await post(server, 'r', message)).text);
  return { server, path: join(server.store, 'r.txt'), text: texts.join('') };
}

suite('a disk that fails', { skip: need('linux', 'strace') }, () => {
  const faults: Record<string, string> = {
    'to sync a room that is new to it': `${syncs}:error=EIO:when=1`,
    'to sync it three times': `${syncs}:error=EIO:when=1..3`,
    'to write for want of room': `${writes}:error=ENOSPC:when=1`,
    'to write': `${writes}:error=EIO:when=1..2`,
  };
  for (const [what, inject] of Object.entries(faults)) {
    test(`${what}: 503 with Retry-After, no part of the message stays, and it goes on`, async () => {
      const store = makeTempFolder('rooms');
      const other = await startServer({ store });
      let text = (await post(other, 'r', { username: 'b', message: 'before' })).text;
      const path = join(store, 'r.txt');
      const wrapper = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-P', path, '-e'];
      const server = await startServer({ store, wrapper: [...wrapper, `inject=${inject}`] });
      let [refusals, successes] = [0, 0];
      // strace counts the faults thread by thread: there are some more than the rule says.
      for (let n = 0; successes < 2 || refusals < 1; n += 1) {
        assert.ok(n < 30, 'it goes on');
        const answer = await post(server, 'r', { username: 'a', message: `try ${n}` });
        if (answer.status === 201) {
          text += answer.text;
          successes += 1;
        } else {
          refusals += 1;
          assert.equal(answer.status, 503, answer.text);
          assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
        }
        assert.equal(readFileSync(path, 'utf8'), text);
        for (const replica of [server, other]) assert.equal((await read(replica, 'r')).text, text);
      }
      const errors = (await get(server, '/-/metrics')).text;
      assert.match(errors, /^chat_store_errors_total\b.* [1-9]\d*$/m);
      assert.equal((await post(other, 'r', message)).status, 201);
      await Promise.all([server.stop(), other.stop()]);
    });
  }

  test('to sync the journal and the room: 503, no part of the message stays, and it goes on', async () => {
    const { server, path, text: before } = await startWithJournal();
    let text = before;
    const files = [path, ...listJournals(server.store)];
    const tracer = await attachTracer(server, files, `${syncs}:error=EIO:when=1..2`);
    let [refusals, successes] = [0, 0];
    for (let n = 0; successes < 2 || refusals < 1; n += 1) {
      assert.ok(n < 30, 'it goes on');
      const answer = await post(server, 'r', { username: 'a', message: `try ${n}` });
      if (answer.status === 201) {
        text += answer.text;
        successes += 1;
      } else {
        refusals += 1;
        assert.equal(answer.status, 503, answer.text);
        assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
      }
      assert.equal(readFileSync(path, 'utf8'), text);
      assert.equal((await read(server, 'r')).text, text);
    }
    await tracer.kill();
    await server.stop();
  });

  test('to sync the journal only: every message is stored, by the sync of its room', async () => {
    const { server, path, text: before } = await startWithJournal();
    const journals = listJournals(server.store);
    const tracer = await attachTracer(server, journals, `${syncs}:error=EIO`);
    let text = before;
    for (let n = 0; n < 5; n += 1) {
      const answer = await post(server, 'r', { username: 'a', message: `try ${n}` });
      assert.equal(answer.status, 201);
      text += answer.text;
    }
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.ok(tracer.countFaults() > 0, 'the journal failed');
    assert.deepEqual(
      listJournals(server.store).filter((name) => journals.includes(name)),
      [],
      'a journal that failed is gone',
    );
    await tracer.kill();
    await server.stop();
    assert.match(server.stdout.join('\n'), /the journal failed/);
  });

  test('to sync what many said at once: who is refused is not in the room, and the rest is', async () => {
    const { server, path, text: before } = await startWithJournal();
    let text = before;
    const files = [path, ...listJournals(server.store)];
    const tracer = await attachTracer(server, files, `${syncs}:error=EIO:when=1+3`);
    const toOffset = ({ headers }: Answer): number =>
      Number(String(headers['chat-cursor']).split('-')[1]);
    // Connections that stay open: what is said on them comes at once.
    const agent = new Agent({ keepAlive: true });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const say = (body: string) =>
      ask(server, { method: 'POST', path: '/chat/r', headers, body, agent });
    let [refusals, successes] = [0, 0];
    for (let round = 0; refusals === 0 || successes < 2; round += 1) {
      assert.ok(round < 100, 'it goes on');
      const sent = Array.from({ length: 40 }, (_, n) => `username=a&message=${round}+${n}`);
      const answers = await Promise.all(sent.map(say));
      const refused = answers.filter(({ status }) => status !== 201);
      for (const { status, headers } of refused) {
        assert.equal(status, 503);
        assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
      }
      const stored = answers.filter(({ status }) => status === 201);
      stored.sort((one, other) => toOffset(one) - toOffset(other));
      text += stored.map((answer) => answer.text).join('');
      assert.equal(readFileSync(path, 'utf8'), text);
      assert.equal((await read(server, 'r')).text, text);
      refusals += refused.length;
      if (refused.length === 0) successes += 1;
    }
    agent.destroy();
    await tracer.kill();
    await server.stop();
  });
});
