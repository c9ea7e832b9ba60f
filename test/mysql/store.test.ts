// What the MySQL store does beyond the suite that every store passes (test/contract).
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Store } from '../../lib/store/store.ts';
import { openStore } from '../contract/stores.ts';
import { engines } from '../support/databases.ts';
import { need } from '../support/need.ts';
import { type Database, startDatabase } from './database.ts';

for (const engine of engines) {
  suite(`a store on ${engine}`, { skip: need(engine) }, () => {
    let database: Database;
    let store: Store;
    before(async () => {
      database = await startDatabase(engine);
      store = await openStore(await database.makeStore());
    });
    after(async () => {
      await store?.close();
      await database?.remove();
    });

    test('a watch hears of this process’s own message before its sender does, without a poll', async () => {
      const changed: string[] = [];
      // The poll asks only for rooms that somebody reads: here for none.
      const stop = store.watch(
        () => [],
        (room) => changed.push(room),
      );
      await store.append('own', { username: 'u', message: 'hello' });
      assert.deepEqual(changed, ['own']);
      stop();
      await store.append('own', { username: 'u', message: 'nobody watches' });
      assert.deepEqual(changed, ['own']);
    });
  });
}
