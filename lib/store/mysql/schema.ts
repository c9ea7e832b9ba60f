/**
 * The tables: made at start by whichever process comes first, with a version.
 *
 *     rooms     one row a room: how long it is, and a number that changes with every change
 *     messages  one row a line, in the room's order by primary key (room, end_offset)
 *     chat_schema, chat_ready   the version of the tables; a row that `/-/ready` writes to
 */
import { ServiceError } from '../../errors.ts';
import type { Session } from './driver.ts';

/** The version of the tables that this code works with. */
export const SCHEMA_VERSION = 1;

/** How long one process waits for another that makes the tables, in seconds. */
const LOCK_SECONDS = 5;

/**
 * Makes the tables where they are missing.
 *
 * @param session one with `autocommit = 1`
 * @throws ServiceError `unavailable` where a newer version of this program made them
 */
export async function prepareTables(session: Session): Promise<void> {
  const found = await readVersion(session);
  if (found === SCHEMA_VERSION) return;
  if (found > SCHEMA_VERSION) {
    const text = `the database's tables have version ${found}, newer than ${SCHEMA_VERSION}`;
    throw new ServiceError('unavailable', `${text}; start the newer program on it`);
  }
  const collation = await findCollation(session);
  // A lock's name is the server's, so it says which database is meant.
  const name = "CONCAT(LEFT(DATABASE(), 50), '.chat')";
  const [lock] = await session.run<{ got: number | null }>(
    `SELECT GET_LOCK(${name}, ${LOCK_SECONDS}) AS got`,
  );
  if (lock?.got !== 1) {
    throw new ServiceError('unavailable', 'another process is making the tables; try again');
  }
  try {
    for (const statement of toStatements(collation)) await session.run(statement);
    await session.run(
      'INSERT INTO chat_schema (id, version) VALUES (1, ?) ON DUPLICATE KEY UPDATE id = id',
      [SCHEMA_VERSION],
    );
  } finally {
    await session.run(`DO RELEASE_LOCK(${name})`);
  }
}

/** @returns 0 where there are no tables yet */
async function readVersion(session: Session): Promise<number> {
  const [table] = await session.run(
    `SELECT 1 FROM information_schema.tables
      WHERE table_schema = DATABASE() AND table_name = 'chat_schema'`,
  );
  if (table === undefined) return 0;
  const [row] = await session.run<{ version: number }>('SELECT version FROM chat_schema');
  return row?.version ?? 0;
}

/** The two engines' names for "equal only where every code point is, spaces at the end too". */
async function findCollation(session: Session): Promise<string> {
  const [row] = await session.run<{ version: string }>('SELECT VERSION() AS version');
  return /mariadb/i.test(row?.version ?? '') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
}

function toStatements(collation: string): string[] {
  const table = `ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation}`;
  return [
    `CREATE TABLE IF NOT EXISTS rooms (
      name VARCHAR(100) NOT NULL,
      size_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
      complete_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0
        COMMENT 'up to the end of the last line that has its line feed',
      epoch CHAR(8) NOT NULL DEFAULT '00000000' COMMENT 'made from the first line',
      birth_id BIGINT UNSIGNED NOT NULL COMMENT 'random, of the room''s beginning',
      commit_id BIGINT UNSIGNED NOT NULL COMMENT 'random, of the last change',
      PRIMARY KEY (name)
    ) ${table}`,
    `CREATE TABLE IF NOT EXISTS messages (
      room VARCHAR(100) NOT NULL,
      end_offset BIGINT UNSIGNED NOT NULL COMMENT 'the room''s bytes up to the end of this line',
      at DATETIME NULL COMMENT 'in the time zone of the server that took the message',
      username VARCHAR(64) NULL,
      message VARCHAR(4000) NULL,
      raw BLOB NULL COMMENT 'the bytes of what was never a message',
      commit_id BIGINT UNSIGNED NOT NULL COMMENT 'random, of the change that it came with',
      PRIMARY KEY (room, end_offset),
      CONSTRAINT messages_room FOREIGN KEY (room) REFERENCES rooms (name) ON DELETE CASCADE
    ) ${table}`,
    `CREATE TABLE IF NOT EXISTS chat_ready (
      id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
      at DATETIME(6) NOT NULL
    ) ${table}`,
    `CREATE TABLE IF NOT EXISTS chat_schema (
      id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
      version INT UNSIGNED NOT NULL
    ) ${table}`,
  ];
}

/**
 * Finds settings of the server that promise less than the store does.
 *
 * @returns one line for each, for the log
 */
export async function findWeakSettings(session: Session): Promise<string[]> {
  const [row] = await session.run<Record<'flush' | 'binlog' | 'sync', number>>(
    `SELECT @@innodb_flush_log_at_trx_commit AS flush, @@log_bin AS binlog, @@sync_binlog AS sync`,
  );
  const weak: string[] = [];
  if (row?.flush !== 1)
    weak.push('innodb_flush_log_at_trx_commit is not 1: a crash loses messages');
  // Without it a commit is seen by others a moment before it is on disk.
  if (row?.binlog !== 1) weak.push('log_bin is off: a crash may take back what was just shown');
  else if (row.sync !== 1) weak.push('sync_binlog is not 1: a crash may lose messages');
  return weak;
}
