// The kinds of stores, for suites that hold all of them to the same contract.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseStoreAddress } from '../../lib/config/store-address.ts';
import { Log } from '../../lib/ops/log.ts';
import { Registry } from '../../lib/ops/metrics.ts';
import { toFileStem } from '../../lib/room/name.ts';
import { FolderStore } from '../../lib/store/folder/folder-store.ts';
import { MysqlStore } from '../../lib/store/mysql/mysql-store.ts';
import type { Store } from '../../lib/store/store.ts';
import { type Database, startDatabase } from '../mysql/database.ts';
import { engines } from '../support/databases.ts';
import { need } from '../support/need.ts';
import { makeTempFolder } from '../support/paths.ts';

/** An empty store. */
export interface TestStore {
  /** What CHAT_STORE takes. */
  address: string;
  /** Makes a room by hand, not by messages. */
  plant(room: string, bytes: Buffer): Promise<void>;
}

/** A kind of store. */
export interface StoreKind {
  name: 'folder' | 'mysql' | 'mariadb';
  /** Why it can't be tested here. */
  skip: string | false;
  start(): Promise<void>;
  make(): Promise<TestStore>;
  stop(): Promise<void>;
}

/** The kinds: a folder, and each database engine. */
export function listStoreKinds(): StoreKind[] {
  return [folderKind, ...engines.map(toDatabaseKind)];
}

const folderKind: StoreKind = {
  name: 'folder',
  skip: false,
  start: async () => {},
  stop: async () => {},
  make: async () => {
    const folder = makeTempFolder('rooms');
    return {
      address: folder,
      plant: async (room, bytes) => {
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, `${toFileStem(room)}.txt`), bytes);
      },
    };
  },
};

function toDatabaseKind(engine: (typeof engines)[number]): StoreKind {
  let database: Database | undefined;
  return {
    name: engine,
    skip: need(engine),
    start: async () => {
      database = await startDatabase(engine);
    },
    stop: async () => database?.remove(),
    make: async () => {
      const address = await database!.makeStore();
      return { address, plant: (room, bytes) => plantInDatabase(address, room, bytes) };
    },
  };
}

async function plantInDatabase(address: string, room: string, bytes: Buffer): Promise<void> {
  const store = (await openStore(address)) as MysqlStore;
  // In pieces, as a copy makes it.
  for (let from = 0; from < bytes.length; from += 1 << 20) {
    await store.extend(room, from, bytes.subarray(from, from + (1 << 20)));
  }
  await store.close();
}

/** Opens a store inside the test's own process. */
export async function openStore(address: string): Promise<Store> {
  const log = new Log('error', () => undefined);
  const registry = new Registry();
  const parsed = parseStoreAddress(address);
  return parsed.kind === 'folder'
    ? new FolderStore({ folder: parsed.folder, durable: true, log, registry })
    : MysqlStore.open({ address: parsed.address, log, registry });
}
