/** Where rooms are kept: a folder, or a database at a `mysql://` address (contract §7, §10). */
import path from 'node:path';
import { ServiceError } from '../errors.ts';

/** The database at a `mysql://` address. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Empty if the address has none. */
  readonly password: string;
  readonly database: string;
}

/** A folder or a database. */
export type StoreAddress =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'database'; readonly address: MysqlAddress };

/**
 * Parses a store address.
 *
 * @param text a folder, or a `mysql://` address whose parts are percent-encoded where they have to be
 * @param name what the operator calls it: a variable or a word of a command
 * @returns the address; a folder as an absolute path
 * @throws ServiceError `bad-request`; it never shows the text, which may contain a password
 */
export function parseStoreAddress(text: string, name = 'the store address'): StoreAddress {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1];
  if (scheme === undefined) return { kind: 'folder', folder: path.resolve(text) };
  const isMysql = scheme.toLowerCase() === 'mysql';
  const parsed = isMysql ? parseMysqlAddress(text) : `has the scheme ${JSON.stringify(scheme)}`;
  if (typeof parsed !== 'string') return { kind: 'database', address: parsed };
  const right = 'it takes a folder, or mysql://user:password@host:3306/database';
  throw new ServiceError('bad-request', `${name} ${parsed}; ${right}`);
}

/** @returns the address, or what is wrong with it */
function parseMysqlAddress(text: string): MysqlAddress | string {
  const url = tryTo(() => new URL(text));
  if (url === undefined || url.hostname === '') return 'is not a valid address';
  if (url.search !== '' || url.hash !== '') return 'has a "?" or "#", written there as %3F or %23';
  const parts = [url.username, url.password, url.pathname.slice(1)];
  const decoded = tryTo(() => parts.map(decodeURIComponent));
  if (decoded === undefined) return 'has a "%" that encodes nothing, written there as %25';
  const [user = '', password = '', database = ''] = decoded;
  if (database === '' || database.includes('/')) return 'names no database';
  if (user === '') return 'names no user';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(url.port || 3306), user, password, database };
}

function tryTo<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch {
    return undefined;
  }
}

/** Shows an address to people: a database without its user and password. */
export function showStoreAddress(address: StoreAddress): string {
  return address.kind === 'folder' ? address.folder : showMysqlAddress(address.address);
}

/** Shows a database to people: without its user and password. */
export function showMysqlAddress({ host, port, database }: MysqlAddress): string {
  return `mysql://${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}
