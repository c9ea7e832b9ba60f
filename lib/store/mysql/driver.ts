/**
 * The one file that knows the package `mysql2`, which is installed only where a database is used:
 * connections with the settings that the store's promises rest on.
 */
import type { Connection as Core } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import type { MysqlAddress } from '../../config/store-address.ts';
import { toErrno } from '../../errors.ts';

/** How long a connection may take to come up. */
export const CONNECT_MS = 3000;

/** How long a statement may take. */
export const STATEMENT_MS = 6000;

/** How long a statement waits for a room's row before its message is refused; for the server. */
const LOCK_WAIT_SECONDS = 4;

/**
 * How long the server keeps a writing session that says nothing: one that stands still in the middle
 * of a transaction holds nobody up for longer.
 */
const WRITER_IDLE_SECONDS = 3;

/** A connection in use. */
export interface Session {
  /**
   * Runs one statement.
   *
   * @param values for its `?`; an array stands for a list, an array of arrays for rows
   * @returns the rows of a SELECT
   */
  run<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Runs one statement that changes rows.
   *
   * @returns how many rows it found
   */
  change(sql: string, values: readonly unknown[]): Promise<number>;
  /**
   * Runs several statements, sent at once; the server stops at the first that fails.
   *
   * @throws StatementError where the server says which one failed; else what the driver says
   */
  runAll(sql: string, values: readonly unknown[]): Promise<void>;
}

/** The server refused one of several statements. */
export class StatementError extends Error {
  /** How many were done before it. */
  readonly doneCount: number;
  readonly code: string | undefined;

  /** @param cause what the driver said */
  constructor(doneCount: number, cause: Error) {
    super(cause.message, { cause });
    this.name = 'StatementError';
    this.doneCount = doneCount;
    this.code = toErrno(cause);
  }
}

/** A connection of a pool. */
export interface Link extends Session {
  /** Closes it at once; an open transaction is rolled back. */
  destroy(): void;
}

/** Opens connections. */
export type Connect = (onLost: () => void) => Promise<Link>;

/** Whether a connection writes, in transactions, or only reads. */
export type Purpose = 'read' | 'write';

const SETTINGS: Record<Purpose, readonly string[]> = {
  read: ['autocommit = 1'],
  write: [
    'autocommit = 0',
    `innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`,
    `wait_timeout = ${WRITER_IDLE_SECONDS}`,
  ],
};

// Nothing is cut, rounded or replaced to make it fit, and a backslash escapes, as the driver assumes.
const SQL_MODE = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/** The package is not installed. Its message is one line that says how to install it. */
export class MissingDriverError extends Error {}

/**
 * Loads the package.
 *
 * @returns gives a function that opens connections, for each purpose
 * @throws MissingDriverError where it is not installed
 */
export async function loadDriver(address: MysqlAddress): Promise<(purpose: Purpose) => Connect> {
  const { createConnection } = await importPackage();
  const options = {
    ...address,
    charset: 'utf8mb4',
    connectTimeout: CONNECT_MS,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    // Times are text, as the lines have them, whatever the zones of server and process.
    dateStrings: true,
    supportBigNumbers: true,
    stringifyObjects: true,
  };
  return (purpose) => async (onLost) => {
    // Only what runAll sends has several.
    const multipleStatements = purpose === 'write';
    const connection = await createConnection({ ...options, multipleStatements });
    connection.on('error', onLost);
    const link = toLink(connection);
    try {
      const settings = [`sql_mode = '${SQL_MODE}'`, ...SETTINGS[purpose]];
      await link.run(`SET SESSION ${settings.join(', ')}`);
      await link.run('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
      return link;
    } catch (error) {
      link.destroy();
      throw error;
    }
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

function toLink(connection: Connection): Link {
  const query = async (sql: string, values: readonly unknown[]): Promise<unknown> => {
    const [result] = await connection.query({ sql, timeout: STATEMENT_MS }, [...values]);
    return result;
  };
  return {
    run: async <Row>(sql: string, values: readonly unknown[] = []) =>
      (await query(sql, values)) as Row[],
    change: async (sql, values) =>
      ((await query(sql, values)) as { affectedRows: number }).affectedRows,
    runAll: (sql, values) => runAll(connection, sql, values),
    destroy: () => connection.destroy(),
  };
}

/** The driver tells of every result as it comes, but not in what it throws. */
function runAll(connection: Connection, sql: string, values: readonly unknown[]): Promise<void> {
  const { connection: core } = connection as unknown as { readonly connection: Core };
  return new Promise((resolve, reject) => {
    let doneCount = 0;
    const options = { sql, values: [...values], timeout: STATEMENT_MS };
    const query = core.query(options, (error) => {
      if (error === null) resolve();
      else reject(error.sqlState === undefined ? error : new StatementError(doneCount, error));
    });
    query.on('result', () => {
      doneCount += 1;
    });
  });
}

// What a server or the network says when a connection ended, before anything was committed.
const LOST = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'ECONNRESET',
  'EPIPE',
  'ER_CLIENT_INTERACTION_TIMEOUT',
  'ER_CON_COUNT_ERROR',
]);

/** Whether a failure was one of this connection or transaction alone: another try is worth it. */
export function isPassing(error: unknown): boolean {
  const code = toErrno(error) ?? '';
  return LOST.has(code) || code === 'ER_LOCK_DEADLOCK';
}

/** Whether a failure came from the database or the way to it, and not from a fault in this code. */
export function isDatabaseError(error: unknown): boolean {
  const code = toErrno(error);
  return code !== undefined && (!code.startsWith('ERR_') || code.startsWith('ERR_SSL'));
}
