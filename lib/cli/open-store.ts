/**
 * Opens the store that an address names. The code for a database is loaded only if one is used, so
 * that a folder needs no package.
 */
import type { StoreAddress } from '../config/store-address.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import type { Registry } from '../ops/metrics.ts';
import { FolderStore } from '../store/folder/folder-store.ts';
import type { Store } from '../store/store.ts';

/**
 * Opens a store, to serve its rooms or to copy from it and to it.
 *
 * @throws ServiceError `bad-request` if the folder can't be written to or the database's package is missing
 */
export async function openStore(
  name: string,
  address: StoreAddress,
  durable: boolean,
  parts: { readonly log: Log; readonly registry: Registry },
): Promise<Store> {
  try {
    if (address.kind === 'folder') {
      return new FolderStore({ folder: address.folder, durable, ...parts });
    }
    const { MysqlStore } = await import('../store/mysql/mysql-store.ts');
    return await MysqlStore.open({ address: address.address, ...parts });
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const right = address.kind === 'folder' ? '; it takes a folder that can be written to' : '';
    throw new ServiceError('bad-request', `${name}: ${(error as Error).message}${right}`, error);
  }
}
