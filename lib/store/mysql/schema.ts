/**
 * The tables and their version. Whichever process comes first makes them.
 *
 *     rooms        one row a room: its length, and a number that changes with every change
 *     messages     one row a line, in the room's order by primary key (room, end_offset)
 *     chat_schema  the version of the tables
 *     chat_ready   the row that a probe writes
 */
import { ServiceError } from '../../errors.ts';
import type { Session } from './driver.ts';

/** The version of the tables that this code works with. */
export const SCHEMA_VERSION = 1;

/** How long a process waits while another one makes the tables, in seconds. */
const LOCK_SECONDS = 5;

/**
 * Makes the tables if they are missing.
 *
 * @param session must have `autocommit = 1`
 * @throws ServiceError `unavailable` if a newer version of this program made them, or if another
 *   process is making them
 */
export async function prepareTables(session: Session): Promise<void> {
  const found = await readVersion(session);
  if (found === SCHEMA_VERSION) return;
  if (found > SCHEMA_VERSION) {
    const text = `the database's tables have version ${found}, newer than ${SCHEMA_VERSION}`;
    throw new ServiceError('unavailable', `${text}; start the newer program on it`);
  }
  const collation = await findCollation(session);
  // All databases of a server share the names of locks, so the name contains the database.
  const name = "CONCAT(LEFT(DATABASE(), 50), '.chat')";
  const [lock] = await session.run<{ isHeld: number | null }>(
    `SELECT GET_LOCK(${name}, ${LOCK_SECONDS}) AS isHeld`,
  );
  if (lock?.isHeld !== 1) {
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

/** Returns 0 if there are no tables yet. */
async function readVersion(session: Session): Promise<number> {
  const [table] = await session.run(
    `SELECT 1 FROM information_schema.tables
      WHERE table_schema = DATABASE() AND table_name = 'chat_schema'`,
  );
  if (table === undefined) return 0;
  const [row] = await session.run<{ version: number }>('SELECT version FROM chat_schema');
  return row?.version ?? 0;
}

/** Returns the collation by which texts are equal byte for byte only, trailing spaces included. */
async function findCollation(session: Session): Promise<string> {
  const [row] = await session.run<{ version: string }>('SELECT VERSION() AS version');
  return /mariadb/i.test(row?.version ?? '') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
}

function toStatements(collation: string): string[] {
  const charset = `DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation}`;
  const table = `ENGINE = InnoDB ROW_FORMAT = DYNAMIC ${charset}`;
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
      commit_id BIGINT UNSIGNED NOT NULL COMMENT 'random, of the change that added it',
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

/** Finds settings of the server that promise less than the store does: a log line for each. */
export async function findWeakSettings(session: Session): Promise<string[]> {
  const [row] = await session.run<Record<'flush' | 'binlog' | 'sync', number>>(
    `SELECT @@innodb_flush_log_at_trx_commit AS flush, @@log_bin AS binlog, @@sync_binlog AS sync`,
  );
  const weak: string[] = [];
  if (row?.flush !== 1)
    weak.push('innodb_flush_log_at_trx_commit is not 1: a crash loses messages');
  // Without the binary log, others see a commit a moment before it is on disk.
  if (row?.binlog !== 1) weak.push('log_bin is off: a crash may take back what was just shown');
  else if (row.sync !== 1) weak.push('sync_binlog is not 1: a crash may lose messages');
  return weak;
}
