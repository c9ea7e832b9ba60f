// Replicas killed under load, nginx restarted: nothing acknowledged is lost or doubled, and the service comes back.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { post } from '../support/http.ts';
import { pause, waitUntil } from '../support/server.ts';
import { followRoom } from '../support/sse.ts';
import { describeLoad, type LoadReport, startLoad } from './load.ts';
import { docker, openStack, type Stack } from './stack.ts';

suite('with faults under load', () => {
  let stack: Stack;

  before(async () => {
    stack = await openStack();
  });
  after(() => stack?.remove());

  test('killing a replica every 2 s for a minute loses and doubles nothing', async (t) => {
    const load = startLoad(stack, { room: 'killed', pollers: 8 });
    t.after(() => load.abandon());
    const replicas = await stack.containers('chat');
    await load.waitForGets(40);
    const usualMs = load.slowestGetMs();
    const endMs = performance.now() + 60_000;
    let killCount = 0;
    for (; performance.now() < endMs; killCount += 1) {
      const nextMs = performance.now() + 2000;
      const { id } = replicas[killCount % replicas.length]!;
      // The engine takes a kill by hand as a wish, and does not restart the container itself. On a
      // machine so slow that this takes longer than 2 s, the kills would leave nobody to answer.
      await stack.bringBack(id, 'kill', 'start');
      await pause(Math.max(0, nextMs - performance.now()));
    }
    const report = await load.stop();
    t.diagnostic(`${killCount} kills; ${describeLoad(report)}`);
    assert.ok(killCount >= 10, `${killCount} kills`);
    assert.deepEqual(report.violations, []);
    assert.equal(report.resetCount, 0);
    const beforeBody = report.failedGets.filter(({ hadBegun }) => !hadBegun);
    assert.deepEqual(beforeBody, [], 'a GET fails only if its body had already begun');
    assertUnknownOutcome(report);
    // Within a second, on a machine that answers at once; a busy one is given what it needs without kills, too.
    const limitMs = 1000 + 4 * usualMs;
    const { longestSilenceMs } = report;
    assert.ok(longestSilenceMs < limitMs, `no GET answered for ${longestSilenceMs} ms`);
  });

  test('a replica that dies by itself is started again and found', async (t) => {
    const [first] = await stack.containers('chat');
    const pid = await docker('inspect', '--format', '{{.State.Pid}}', first!.id);
    process.kill(Number(pid), 'SIGKILL');
    const load = startLoad(stack, { room: 'died', pollers: 2, writers: 1, live: 1 });
    t.after(() => load.abandon());
    const host = `(${first!.details.Config.Hostname})`;
    await waitUntil('it answers again', () => [...load.servers()].some((it) => it.endsWith(host)));
    const report = await load.stop();
    assert.deepEqual(report.violations, []);
  });

  test('readers resume at their cursor when nginx is restarted', async (t) => {
    const room = 'nginx restarted';
    const readers = Array.from({ length: 8 }, () => followRoom(stack, room));
    t.after(() => Promise.all(readers.map((reader) => reader.stop())));
    let expected = '';
    const say = async (message: string) => {
      const answer = await post(stack, room, { username: 'omri', message });
      assert.equal(answer.status, 201);
      expected += answer.text;
    };
    for (let n = 0; n < 20; n += 1) await say(`before ${n}`);
    for (const reader of readers) await reader.waitForText(expected);
    await stack.compose('restart', 'nginx');
    await stack.waitUntilServing();
    for (let n = 0; n < 20; n += 1) await say(`after ${n}`);
    for (const reader of readers) {
      await reader.waitForText(expected);
      assert.equal(reader.resetCount, 0);
      assert.ok(reader.openedCount > 1);
      await reader.stop();
    }
  });
});

/** A POST that failed was either surely not stored (503) or may have been (502): nginx says which. */
function assertUnknownOutcome(report: LoadReport): void {
  for (const { what } of report.failedPosts) assert.match(what, /^50[23] after/);
}
