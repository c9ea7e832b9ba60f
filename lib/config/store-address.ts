/** Where rooms are kept: a folder, or a database at a `mysql://` address (contract §7, §10). */
import path from 'node:path';

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

const RIGHT = 'it takes a folder, or mysql://user:password@host:3306/database';

/**
 * Parses a store address.
 *
 * @param text a folder, or a `mysql://` address whose parts are percent-encoded where they have to be
 * @returns the address; a folder as an absolute path
 * @throws Error with one line that never shows the text, which may contain a password
 */
export function parseStoreAddress(text: string): StoreAddress {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1];
  if (scheme === undefined) return { kind: 'folder', folder: path.resolve(text) };
  if (scheme.toLowerCase() !== 'mysql') {
    throw new Error(`has the scheme ${JSON.stringify(scheme)}; ${RIGHT}`);
  }
  return { kind: 'database', address: parseMysqlAddress(text) };
}

function parseMysqlAddress(text: string): MysqlAddress {
  const url = tryUrl(text);
  if (url === undefined || url.hostname === '') throw new Error(`is not a valid address; ${RIGHT}`);
  if (url.search !== '' || url.hash !== '') {
    throw new Error(`has a "?" or "#" in it, which an address writes as %3F or %23; ${RIGHT}`);
  }
  const [user, password] = [tryDecode(url.username), tryDecode(url.password)];
  const database = tryDecode(url.pathname.slice(1));
  if (user === undefined || password === undefined || database === undefined) {
    throw new Error(`has a "%" that encodes nothing; an address writes it as %25; ${RIGHT}`);
  }
  if (database === '' || database.includes('/')) throw new Error(`names no database; ${RIGHT}`);
  if (user === '') throw new Error(`names no user; ${RIGHT}`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 3306 : Number(url.port);
  return { host, port, user, password, database };
}

/** Shows an address to people: a database without its user and password. */
export function showStoreAddress(address: StoreAddress): string {
  return address.kind === 'folder' ? address.folder : showMysqlAddress(address.address);
}

/** Shows a database to people: without its user and password. */
export function showMysqlAddress({ host, port, database }: MysqlAddress): string {
  return `mysql://${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}

function tryUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function tryDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
