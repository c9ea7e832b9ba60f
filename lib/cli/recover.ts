/** The command `recover [FOLDER]`: puts into a folder's rooms what a power loss took (contract §9). */
import { existsSync } from 'node:fs';
import { readOwnStore, readStoreAddress } from '../config/config.ts';
import { ServiceError } from '../errors.ts';
import { Log, writeOut } from '../ops/log.ts';
import { Registry } from '../ops/metrics.ts';
import { FolderStore, type Recovered } from '../store/folder/folder-store.ts';

/**
 * Runs the command. It prints one line: what was put back, or that there was nothing to do.
 *
 * @param argument the rooms' folder; that of `CHAT_STORE` by default
 * @throws ServiceError `bad-request` if there is no such folder, `unavailable` if recovery fails
 */
export async function runRecover(argument?: string): Promise<void> {
  const name = argument === undefined ? 'CHAT_STORE' : 'FOLDER';
  const address = argument === undefined ? readOwnStore() : readStoreAddress(name, argument);
  if (address.kind !== 'folder') {
    throw new ServiceError('bad-request', `${name}: a database recovers by itself`);
  }
  const { folder } = address;
  if (!existsSync(folder)) {
    throw new ServiceError('bad-request', `${name}: there is no folder ${folder}`);
  }
  writeOut(`chat: ${folder}: ${describe(await recover(folder))}\n`);
}

async function recover(folder: string): Promise<Recovered> {
  try {
    // What is recovered is said here, in one line.
    const parts = { log: new Log('error'), registry: new Registry() };
    const store = new FolderStore({ folder, durable: true, ...parts });
    const recovered = await store.recover();
    await store.close();
    return recovered;
  } catch (error) {
    const { message } = ((error as Error).cause ?? error) as Error;
    const text = `${folder} could not be recovered: ${message}; nothing is lost, run it again`;
    throw new ServiceError('unavailable', text, error);
  }
}

function describe({ journalCount, roomCount, restoredBytes, kept }: Recovered): string {
  if (journalCount === 0) return 'there is nothing to recover';
  const rooms = roomCount === 1 ? '1 room' : `${roomCount} rooms`;
  const done = `put ${restoredBytes} bytes back into ${rooms}`;
  return kept.length === 0 ? done : `${done}; kept what no longer fits in ${kept.join(', ')}`;
}
