/**
 * The one file that knows the package `mysql2`, which an operator installs only for a database. It
 * opens connections with the session settings that the store's promises rest on.
 */
import type { Connection as MysqlConnection } from 'mysql2/promise';
import type { MysqlAddress } from '../../config/store-address.ts';
import { toErrno } from '../../errors.ts';

/** How long opening a connection may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 3000;

/** How long the whole handshake may take, in milliseconds; mysql2 limits its first packet only. */
const HANDSHAKE_TIMEOUT_MS = CONNECT_TIMEOUT_MS + 500;

/** How long a statement may take, in milliseconds. */
const STATEMENT_TIMEOUT_MS = 6000;

/** How long the server lets a statement wait for a row lock, in seconds. */
const LOCK_WAIT_SECONDS = 4;

/**
 * How long the server keeps a writing session that sends nothing, in seconds. A replica that
 * freezes in the middle of a transaction blocks a room for no longer than this.
 */
const WRITER_IDLE_SECONDS = 3;

/** Runs statements on one connection. */
export interface Session {
  /**
   * Runs one statement.
   *
   * @param values for its `?`; an array stands for a list, an array of arrays for rows
   * @returns the rows of a SELECT
   */
  run<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** An open connection. */
export interface Connection extends Session {
  /** Closes it at once. The server rolls an open transaction back. */
  destroy(): void;
}

/** Opens a connection; `onLost` is called when it breaks, also while nobody uses it. */
export type Connect = (onLost: () => void) => Promise<Connection>;

/** What connections are for: transactions that write, or single statements that read. */
export type Purpose = 'read' | 'write';

const SETTINGS: Record<Purpose, readonly string[]> = {
  read: ['autocommit = 1'],
  write: [
    'autocommit = 0',
    `innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`,
    `wait_timeout = ${WRITER_IDLE_SECONDS}`,
  ],
};

// A value that does not fit is refused, and a backslash escapes, as mysql2 assumes.
const SQL_MODE = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/** The package is not installed. The message is one line that says how to install it. */
export class MissingDriverError extends Error {}

/**
 * Loads the package.
 *
 * @returns a function from a purpose to what opens its connections
 * @throws MissingDriverError if the package is not installed
 */
export async function loadDriver(address: MysqlAddress): Promise<(purpose: Purpose) => Connect> {
  const { createConnection } = await importPackage();
  const options = {
    ...address,
    charset: 'utf8mb4',
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    // A time stays the text that a line has, whatever the time zones of server and process.
    dateStrings: true,
    supportBigNumbers: true,
    stringifyObjects: true,
  };
  return (purpose) => (onLost) => {
    const opening = createConnection(options).then(async (connection) => {
      connection.on('error', onLost);
      return prepare(toConnection(connection), purpose);
    });
    return withTimeout(opening);
  };
}

async function importPackage(): Promise<typeof import('mysql2/promise')> {
  try {
    return await import('mysql2/promise');
  } catch (error) {
    if (toErrno(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MissingDriverError(
      'a mysql:// address needs the package mysql2; install it with: npm install mysql2',
    );
  }
}

function toConnection(connection: MysqlConnection): Connection {
  return {
    run: async <Row>(sql: string, values: readonly unknown[] = []) => {
      const options = { sql, timeout: STATEMENT_TIMEOUT_MS };
      const [rows] = await connection.query(options, [...values]).catch(rethrowWithCode);
      return rows as Row[];
    },
    destroy: () => connection.destroy(),
  };
}

/** On a connection that broke before, mysql2 fails a statement with an error that has no code. */
function rethrowWithCode(error: Error & { readonly fatal?: boolean }): never {
  const isCodeless = error.fatal && toErrno(error) === undefined;
  throw isCodeless ? Object.assign(error, { code: 'PROTOCOL_CONNECTION_LOST' }) : error;
}

async function prepare(connection: Connection, purpose: Purpose): Promise<Connection> {
  try {
    const settings = [`sql_mode = '${SQL_MODE}'`, ...SETTINGS[purpose]];
    await connection.run(`SET SESSION ${settings.join(', ')}`);
    await connection.run('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** A server that is frozen accepts a connection and may send a first packet, but no second. */
function withTimeout(opening: Promise<Connection>): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(Object.assign(new Error('the database does not answer'), { code: 'ETIMEDOUT' }));
    }, HANDSHAKE_TIMEOUT_MS);
    opening.then(resolve, reject).finally(() => clearTimeout(timer));
    opening.then((connection) => isLate && connection.destroy()).catch(() => undefined);
  });
}

// What a server or the network says when a connection ended, before anything was committed.
const CONNECTION_LOST = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'ECONNRESET',
  'EPIPE',
  'ER_CLIENT_INTERACTION_TIMEOUT',
  'ER_CON_COUNT_ERROR',
]);

/** Tells whether this connection or transaction alone failed, so that another may succeed. */
export function isTransient(error: unknown): boolean {
  const code = toErrno(error) ?? '';
  return CONNECTION_LOST.has(code) || code === 'ER_LOCK_DEADLOCK';
}

/** Tells whether the database or the network failed. Everything else is a bug of this program. */
export function isDatabaseError(error: unknown): boolean {
  const code = toErrno(error);
  return code !== undefined && (!code.startsWith('ERR_') || code.startsWith('ERR_SSL'));
}
