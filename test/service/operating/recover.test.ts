// After a power loss: a start, or the command `recover`, puts back what the rooms lack (contract §9).
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { realDisk } from '../../../lib/disk/disk.ts';
import { JournalFile } from '../../../lib/journal/journal-file.ts';
import { post, read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { spawnServer, startServer } from '../../support/server.ts';
import { listJournals } from '../../support/strace.ts';

const [first, second] = ['[2026-11-25 14:00:51] a: first\n', '[2026-11-25 14:00:52] a: second\n'];

/** Makes a folder with one room as a power loss left it: the second line is in a journal alone. */
function makeLoss(left = first): { store: string; room: string } {
  const store = makeTempFolder('rooms');
  const room = join(store, 'r.txt');
  writeFileSync(room, left);
  const { ino, birthtimeMs, dev } = statSync(room);
  mkdirSync(join(store, '.journal'));
  const file = join(store, '.journal', '0123456789abcdef-1.journal');
  const journal = new JournalFile(file, { boot: 'an-earlier-one', device: dev }, 4096, realDisk);
  const bytes = Buffer.from(second);
  const [offset, before] = [first.length, Buffer.alloc(0)];
  journal.write([{ name: 'r', ino, birthtimeMs, offset, stamp: 1n, before, bytes }]);
  journal.close();
  return { store, room };
}

/** Runs the command to its end. */
async function recover(args: string[], env: Record<string, string> = {}) {
  const child = spawnServer({ args: ['recover', ...args], env });
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

suite('recover', { concurrency: true }, () => {
  test('puts back what a room lacks, once, and says so in one line', async () => {
    const { store, room } = makeLoss();
    const { code, stdout, stderr } = await recover([store]);
    const line = `chat: ${store}: put ${second.length} bytes back into 1 room`;
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: [line], stderr: [] });
    assert.equal(readFileSync(room, 'utf8'), first + second);
    assert.deepEqual(listJournals(store), []);
    const again = await recover([store]);
    assert.deepEqual(again.stdout, [`chat: ${store}: there is nothing to recover`]);
    assert.equal(again.code, 0);
  });

  test('takes the folder of CHAT_STORE if none is named', async () => {
    const { store, room } = makeLoss();
    assert.equal((await recover([], { CHAT_STORE: store })).code, 0);
    assert.equal(readFileSync(room, 'utf8'), first + second);
  });

  test('leaves a room that somebody edited as it is, keeps what no longer fits, and names it', async () => {
    const edited = `${first}edited by hand, and longer than the line was\n`;
    const { store, room } = makeLoss(edited);
    const { code, stdout } = await recover([store]);
    assert.equal(code, 0);
    assert.equal(readFileSync(room, 'utf8'), edited);
    const kept = readdirSync(join(store, '.recovered'));
    assert.equal(kept.length, 1);
    assert.equal(readFileSync(join(store, '.recovered', kept[0]!), 'utf8'), second);
    assert.deepEqual(stdout, [
      `chat: ${store}: put 0 bytes back into 0 rooms; ` +
        `kept what no longer fits in ${join(store, '.recovered', kept[0]!)}`,
    ]);
  });

  test('beside a running service has nothing to do, and leaves its journal to it', async () => {
    const server = await startServer();
    for (const message of ['one', 'two']) await post(server, 'r', { username: 'a', message });
    const journals = listJournals(server.store);
    const { code, stdout } = await recover([server.store]);
    assert.deepEqual([code, stdout.length], [0, 1]);
    assert.match(stdout[0]!, /there is nothing to recover$/);
    assert.deepEqual(listJournals(server.store), journals);
    await server.stop();
  });

  test('ends with one line and 2 if it is given no folder that exists, 1 if it can’t read it', async () => {
    const { store } = makeLoss();
    writeFileSync(join(store, 'file'), '');
    const unreadable = makeTempFolder('rooms');
    writeFileSync(join(unreadable, '.journal'), '');
    for (const [folder, code, text] of [
      [join(store, 'none'), 2, /^chat: FOLDER: there is no folder /],
      ['mysql://a@b/c', 2, /^chat: FOLDER: a database recovers by itself$/],
      [unreadable, 1, /^chat: \S+ could not be recovered: ENOTDIR.*; nothing is lost/],
    ] as const) {
      const result = await recover([folder]);
      assert.equal(result.code, code, result.stderr.join());
      assert.equal(result.stderr.length, 1);
      assert.match(result.stderr[0]!, text);
    }
  });
});

suite('a start after a power loss', { concurrency: true }, () => {
  test('recovers before anybody reads, and says so in one line', async () => {
    const { store } = makeLoss();
    const server = await startServer({ store });
    assert.equal((await read(server, 'r')).text, first + second);
    await server.stop();
    const lines = server.stdout.filter((line) => line.includes('recovered after a power loss'));
    assert.equal(lines.length, 1);
    assert.match(
      lines[0]!,
      new RegExp(`rooms=1 .*bytes=${second.length}|"bytes":${second.length}`),
    );
  });

  test('with CHAT_DURABILITY=memory is refused in one line that says what to do', async () => {
    const { store, room } = makeLoss();
    const env = { CHAT_DURABILITY: 'memory' };
    const child = spawnServer({ store, env });
    assert.equal((await child.exited).code, 2);
    assert.equal(child.stderr.length, 1);
    assert.match(
      child.stderr[0]!,
      /^chat: CHAT_DURABILITY=memory: the host lost power.*recover \S+$/,
    );
    assert.equal(readFileSync(room, 'utf8'), first);
    assert.equal((await recover([store])).code, 0);
    const server = await startServer({ store, env });
    assert.equal((await read(server, 'r')).text, first + second);
    await server.stop();
  });
});
