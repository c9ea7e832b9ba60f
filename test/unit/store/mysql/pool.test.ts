// The pool of connections, on connections that only note what becomes of them.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import type { Connection } from '../../../../lib/store/mysql/driver.ts';
import { Pool } from '../../../../lib/store/mysql/pool.ts';

suite('a pool of connections', () => {
  let pool: Pool;
  let opened: { isClosed: boolean; lose: () => void }[];

  beforeEach(() => {
    opened = [];
    const connect = async (lose: () => void): Promise<Connection> => {
      const one = { isClosed: false, lose };
      opened.push(one);
      return {
        run: async <Row>() => [] as Row[],
        destroy: () => {
          one.isClosed = true;
        },
      };
    };
    pool = new Pool({ connect, limit: 2, idleMs: 60_000 });
  });
  afterEach(() => pool.close());

  const work = async () => 'done';
  /** Work that goes on until it is told to end. */
  const start = async () => {
    let isOpen = () => {};
    const opening = new Promise<void>((resolve) => {
      isOpen = resolve;
    });
    let end = () => {};
    const result = pool.use(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
          isOpen();
        }),
    );
    await opening;
    return { end, result };
  };

  test('uses a connection again', async () => {
    for (let n = 0; n < 3; n += 1) assert.equal(await pool.use(work), 'done');
    assert.equal(opened.length, 1);
  });

  test('closes an idle connection at once when it is closed', async () => {
    await pool.use(work);
    pool.close();
    assert.deepEqual(
      opened.map(({ isClosed }) => isClosed),
      [true],
    );
  });

  test('closes a connection that is in use when its work ends, not before', async () => {
    const busy = await start();
    pool.close();
    assert.equal(opened[0]!.isClosed, false);
    busy.end();
    await busy.result;
    assert.equal(opened[0]!.isClosed, true);
  });

  test('refuses work once it is closed, also work that waits for a connection', async () => {
    const busy = [await start(), await start()];
    const waiting = pool.use(work);
    pool.close();
    await assert.rejects(waiting, { code: 'unavailable' });
    await assert.rejects(pool.use(work), { code: 'unavailable' });
    for (const one of busy) one.end();
    await Promise.all(busy.map(({ result }) => result));
    assert.equal(opened.length, 2);
  });

  test('hands a connection that comes back to whoever waits, and opens none beyond its limit', async () => {
    const busy = [await start(), await start()];
    const waiting = [pool.use(work), pool.use(work)];
    busy[0]!.end();
    assert.deepEqual(await Promise.all(waiting), ['done', 'done']);
    assert.equal(opened.length, 2);
    busy[1]!.end();
  });

  test('begins work anew on another connection where one was lost, and never on a bug', async () => {
    for (const [code, tries] of Object.entries({ ECONNRESET: 4, ER_LOCK_DEADLOCK: 4, ER_BAD: 1 })) {
      opened.length = 0;
      let count = 0;
      const failing = pool.use(async () => {
        count += 1;
        throw Object.assign(new Error('no'), { code });
      });
      await assert.rejects(failing, { code });
      assert.equal(count, tries);
      assert.equal(opened.length, tries);
      assert.ok(
        opened.every(({ isClosed }) => isClosed),
        'what failed is closed',
      );
    }
  });

  test('does not use a connection that broke while it was idle', async () => {
    await pool.use(work);
    opened[0]!.lose();
    await pool.use(work);
    assert.deepEqual(
      opened.map(({ isClosed }) => isClosed),
      [true, false],
    );
  });
});
