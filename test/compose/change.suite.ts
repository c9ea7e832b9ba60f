// Scaling and restarting while people write and read: nobody notices.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { get } from '../support/http.ts';
import { pause, waitUntil } from '../support/server.ts';
import { describeLoad, type LoadReport, startLoad } from './load.ts';
import { isOnMysql, openStack, type Stack } from './stack.ts';

/** Nothing failed, nothing is missing: what a user must not notice was not noticed. */
function assertUnnoticed(report: LoadReport): void {
  assert.deepEqual(report.failedPosts, []);
  assert.deepEqual(report.failedGets, []);
  assert.deepEqual(report.failedStreams, []);
  assertNothingLost(report);
}

function assertNothingLost(report: LoadReport): void {
  assert.deepEqual(report.violations, []);
  assert.equal(report.resetCount, 0);
  assert.ok(report.acknowledgedCount > 50, `${report.acknowledgedCount} messages`);
}

suite('under 4 writers, 8 readers and 4 live readers', () => {
  let stack: Stack;

  before(async () => {
    stack = await openStack();
  });
  after(() => stack?.remove());

  async function scaleTo(count: number): Promise<void> {
    await stack.compose('up', '--detach', '--scale', `chat=${count}`);
    await waitUntil(
      `${count} replicas`,
      async () => (await stack.containers('chat')).length === count,
    );
  }

  test('scaling to 5, to 10 and back to 2 goes unnoticed', async (t) => {
    const load = startLoad(stack, { room: 'scaled', pollers: 8 });
    t.after(() => load.abandon());
    await load.waitForGets(20);
    for (const count of [5, 10, 2]) {
      await scaleTo(count);
      await waitUntil('each has answered', () => load.servers().size >= count);
      await load.waitForGets(40);
    }
    const report = await load.stop();
    t.diagnostic(describeLoad(report));
    assertUnnoticed(report);
    assert.ok(report.servers.size >= 10, `${report.servers.size} replicas answered`);
    await scaleTo(3);
  });

  test('restarting every replica, one after another, goes unnoticed', async (t) => {
    const load = startLoad(stack, { room: 'restarted', pollers: 8 });
    t.after(() => load.abandon());
    await load.waitForGets(20);
    for (const { id } of await stack.containers('chat')) {
      await stack.bringBack(id, 'restart');
    }
    const report = await load.stop();
    t.diagnostic(describeLoad(report));
    assertUnnoticed(report);
    assert.equal(report.servers.size, 3);
  });

  // On MySQL two more containers start, one after another as the engine does it, and so does the database.
  const limitMs = isOnMysql ? 25_000 : 15_000;
  test(`re-creating everything loses nothing and answers again within ${limitMs / 1000} s`, async (t) => {
    const load = startLoad(stack, { room: 'recreated', pollers: 8 });
    t.after(() => load.abandon());
    await load.waitForGets(20);
    const outage = watchOutage(stack);
    t.after(() => outage.abandon());
    await stack.compose('up', '--detach', '--force-recreate');
    const longestMs = await outage.stop();
    await waitUntil('people talk again', () => load.acknowledgedCount() > 50);
    const report = await load.stop();
    t.diagnostic(`${describeLoad(report)}; longest outage ${Math.round(longestMs)} ms`);
    assertNothingLost(report);
    assert.ok(longestMs < limitMs, `no answer for ${longestMs} ms`);
  });
});

/** Asks every 100 ms until stopped, and then until answered; gives the longest time without an answer. */
function watchOutage(stack: Stack): { abandon(): void; stop(): Promise<number> } {
  let isStopped = false;
  let isAbandoned = false;
  let longestMs = 0;
  const watching = (async () => {
    let lastMs = performance.now();
    while (!isAbandoned) {
      const status = await get(stack, '/chat/recreated', { range: 'bytes=-1' }).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 206 || status === 200) {
        longestMs = Math.max(longestMs, performance.now() - lastMs);
        lastMs = performance.now();
        if (isStopped) return longestMs;
      }
      await pause(100);
    }
    return longestMs;
  })();
  return {
    abandon: () => {
      isAbandoned = true;
    },
    stop: () => {
      isStopped = true;
      return watching;
    },
  };
}
