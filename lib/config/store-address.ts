/** Where rooms are kept, read from a text: a folder or the address of a database (contract §7, §10). */
import path from 'node:path';

/** The database at a `mysql://` address. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What keeps rooms. */
export type StoreAddress =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'database'; readonly address: MysqlAddress };

const RIGHT = 'it takes a folder, or mysql://user:password@host:3306/database';

/**
 * Reads a home.
 *
 * @param text a folder, or a `mysql://` address whose parts are percent-encoded where they have to be
 * @param filePassword the password where the address has none
 * @returns the home; a folder as an absolute path
 * @throws Error with one line that never shows the address, as there may be a password in it
 */
export function parseStoreAddress(text: string, filePassword: string | undefined): StoreAddress {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1];
  if (scheme === undefined) return { kind: 'folder', folder: path.resolve(text) };
  if (scheme.toLowerCase() !== 'mysql') {
    throw new Error(`has the scheme ${JSON.stringify(scheme)}; ${RIGHT}`);
  }
  const url = tryUrl(text);
  if (url === undefined || url.hostname === '') throw new Error(`is no good address; ${RIGHT}`);
  if (url.search !== '' || url.hash !== '') {
    throw new Error(`has a "?" or "#" in it, which an address writes as %3F or %23; ${RIGHT}`);
  }
  const [user, password] = [tryDecode(url.username), tryDecode(url.password)];
  const database = tryDecode(url.pathname.slice(1));
  if (user === undefined || password === undefined || database === undefined) {
    throw new Error(`has a "%" that is none; an address writes it as %25; ${RIGHT}`);
  }
  if (database === '' || database.includes('/')) throw new Error(`names no database; ${RIGHT}`);
  if (user === '') throw new Error(`names no user; ${RIGHT}`);
  const address = {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 3306 : Number(url.port),
    user,
    password: password === '' ? (filePassword ?? '') : password,
    database,
  };
  return { kind: 'database', address: Object.freeze(address) };
}

/** Shows a home to people: a database without its user and password. */
export function showStoreAddress(home: StoreAddress): string {
  return home.kind === 'folder' ? home.folder : showMysqlAddress(home.address);
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
