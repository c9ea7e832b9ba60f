// A disk that is full refuses messages, and nothing else (contract §4 and §9).
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findViolations } from '../../support/checker.ts';
import { runCrowd } from '../../support/crowd.ts';
import { get, post, read } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

/** Starts a service whose rooms are on a disk of their own, in mounts that go with the process. */
async function startOnSmallDisk(size: string): Promise<{ server: Server; disk: string }> {
  const store = makeTempFolder('disk');
  const script = `mount -t tmpfs -o size=${size} chat "$0" && exec "$@"`;
  const wrapper = ['unshare', '--mount', 'sh', '-c', script, store];
  const server = await startServer({ store, wrapper });
  return { server, disk: join('/proc', String(server.pid), 'root', store) };
}

/** Takes all the room that is left on the disk, and gives the file that holds it. */
function fill(disk: string): string {
  const filler = join(disk, 'filler');
  writeFileSync(filler, '');
  for (let sizeBytes = 65_536; sizeBytes >= 1; sizeBytes = Math.floor(sizeBytes / 2)) {
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(sizeBytes));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  return filler;
}

suite('a full disk', { skip: need('root', 'tmpfs') }, () => {
  test('gives 503 with Retry-After, keeps no part of a line, and goes on when there is room', async () => {
    const { server, disk } = await startOnSmallDisk('1m');
    const kept = await post(server, 'r', { username: 'a', message: 'before' });
    assert.equal(kept.status, 201);
    const filler = fill(disk);
    let text = kept.text;
    let refusals = 0;
    for (let n = 0; refusals < 3; n += 1) {
      assert.ok(n < 100, 'it is full');
      const answer = await post(server, 'r', { username: 'a', message: `${n}${'x'.repeat(1500)}` });
      if (answer.status === 201) text += answer.text;
      else refusals += 1;
      if (answer.status === 201) continue;
      assert.equal(answer.status, 503, answer.text);
      assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
      assert.match(answer.text, /^[^\n]+\n$/);
      assert.equal(readFileSync(join(disk, 'r.txt'), 'utf8'), text, 'no part of it is there');
      assert.equal((await read(server, 'r')).text, text, 'reading goes on');
    }
    assert.equal(
      (await post(server, 'other', { username: 'a', message: 'x'.repeat(4000) })).status,
      503,
    );
    assert.equal((await read(server, 'other')).text, '');
    assert.equal((await get(server, '/-/ready')).status, 503);
    assert.equal((await get(server, '/-/healthy')).status, 200);
    rmSync(filler);
    const next = await post(server, 'r', { username: 'a', message: 'after' });
    assert.equal(next.status, 201, next.text);
    assert.equal(readFileSync(join(disk, 'r.txt'), 'utf8'), text + next.text);
    assert.equal((await post(server, 'other', { username: 'a', message: 'm' })).status, 201);
    assert.equal((await get(server, '/-/ready')).status, 200);
    const errors = server.stdout.filter((line) => / error /.test(line));
    assert.equal(errors.length, 1, `one line for one outage: ${errors.join('\n')}`);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  test('under many clients loses, doubles and halves nothing', async () => {
    const { server, disk } = await startOnSmallDisk('300k');
    const servers = [server];
    const crowd = { servers, rooms: ['r', 's'], clientCount: 8, messageCount: 500, readEvery: 50 };
    const { sent, seen } = await runCrowd(crowd);
    const refused = sent.filter((one) => one.isRefused).length;
    const stored = sent.filter((one) => one.line !== undefined).length;
    assert.ok(refused > 0 && stored > 500, `${refused} refused, ${stored} stored`);
    assert.equal(refused + stored, sent.length);
    const rooms = new Map<string, string>();
    for (const room of crowd.rooms) {
      rooms.set(room, (await read(server, room)).text);
      assert.equal(readFileSync(join(disk, `${room}.txt`), 'utf8'), rooms.get(room));
    }
    assert.deepEqual(findViolations({ sent, seen, rooms }), []);
    await server.stop();
  });
});
