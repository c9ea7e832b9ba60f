// A real MySQL or MariaDB server on 127.0.0.1 with its own data folder, which tests kill and start again.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { type Engine, findEngineRoot } from '../support/databases.ts';
import { findFreePort, pause, type ServerProcess, waitUntil, watch } from '../support/server.ts';

const programs: Record<Engine, string> = { mysql: 'mysqld', mariadb: 'mariadbd' };
const password = 'test password: #1 @/%';

/** A database server. */
export interface Database {
  engine: Engine;
  port: number;
  /** Such as `9.7.4` or `10.11.18-MariaDB-…`. */
  version: string;
  /** Makes an empty database and returns its address. */
  makeStore(): Promise<string>;
  /** Runs one statement as root, in the database at an address of {@link makeStore} if one is given. */
  run(sql: string, address?: string): Promise<Record<string, unknown>[]>;
  /** Kills it with SIGKILL, so that it flushes nothing. */
  kill(): Promise<void>;
  /** Sends a signal, such as SIGSTOP and SIGCONT. */
  signal(name: NodeJS.Signals): void;
  /** Starts it again on the same port and data; resolves when it answers. */
  start(): Promise<void>;
  /** Kills it and removes its data. */
  remove(): Promise<void>;
}

const started = new Set<{ remove: () => void }>();
process.on('exit', () => {
  for (const one of started) one.remove();
});

/** Starts a server on an empty data folder, with these settings beside the durable defaults. */
export async function startDatabase(engine: Engine, settings: string[] = []): Promise<Database> {
  const root = findEngineRoot(engine);
  if (root === undefined) throw new Error(`there is no ${engine} here`);
  const data = copyTemplate(engine, root);
  const port = await findFreePort();
  const inRoot = data.slice(root.length);
  const args = [
    ...toArguments(engine, inRoot),
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${inRoot}/socket`,
    `--pid-file=${inRoot}/pid`,
    ...settings,
  ];
  let server: ServerProcess | undefined;
  let guard: ChildProcess | undefined;
  const begin = async () => {
    server = watch(spawn('chroot', [root, programs[engine], ...args], { stdio: 'pipe' }));
    const own = server;
    guard = watchOver(own.pid, data);
    let exit: unknown;
    void own.exited.then((how) => {
      exit = how;
    });
    await waitUntil(
      `a ${engine} that answers`,
      async () => {
        if (exit) throw new Error(`${engine} ended: ${own.stderr.slice(-12).join('\n')}`);
        return (await tryConnect(port)) !== undefined;
      },
      60_000,
    );
  };
  const end = async () => {
    const own = server;
    server = undefined;
    guard?.kill('SIGKILL');
    await own?.kill();
  };
  const removal = { remove: () => rmSync(data, { recursive: true, force: true }) };
  started.add(removal);
  await begin();
  const run = (sql: string, address?: string) => query(port, sql, address);
  const [row] = await run('SELECT VERSION() AS version');
  return {
    engine,
    port,
    version: String(row?.version),
    run,
    makeStore: () => makeStore(port, run),
    kill: end,
    signal: (name) => server?.signal(name),
    start: begin,
    remove: async () => {
      await end();
      removal.remove();
      started.delete(removal);
    },
  };
}

/** Removes the server and its data when the test process is killed. */
function watchOver(pid: number, data: string): ChildProcess {
  const script = 'read _; kill -9 "$1"; sleep 1; rm -rf "$2"';
  const guard = spawn('sh', ['-c', script, 'sh', String(pid), data], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  // The guard waits for the end of this pipe, which must not keep the test process alive.
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}

let storeCount = 0;

async function makeStore(port: number, run: Database['run']): Promise<string> {
  storeCount += 1;
  const name = `chat_${storeCount}_${process.pid}`;
  const user = `user_${storeCount}_${process.pid}`;
  await run(`CREATE DATABASE ${name}`);
  await run(`CREATE USER '${user}'@'127.0.0.1' IDENTIFIED BY '${password}'`);
  await run(`GRANT ALL ON ${name}.* TO '${user}'@'127.0.0.1'`);
  return `mysql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${name}`;
}

/** The password of every address that {@link Database.makeStore} gives. */
export const storePassword = password;

async function query(port: number, sql: string, address?: string) {
  const database = address === undefined ? 'mysql' : new URL(address).pathname.slice(1);
  const options = { host: '127.0.0.1', port, user: 'root', database, dateStrings: true };
  const connection = await mysql.createConnection(options);
  try {
    const [rows] = await connection.query(sql);
    return rows as Record<string, unknown>[];
  } finally {
    await connection.end();
  }
}

async function tryConnect(port: number): Promise<true | undefined> {
  try {
    await query(port, 'SELECT 1');
    return true;
  } catch {
    await pause(50);
    return undefined;
  }
}

/** Copies an initialised data folder, which is made once for each engine. */
function copyTemplate(engine: Engine, root: string): string {
  const parent = join(root, 'srv');
  const template = join(parent, 'template');
  if (!existsSync(join(template, 'done'))) makeTemplate(engine, root, template);
  mkdirSync(parent, { recursive: true });
  const data = mkdtempSync(join(parent, 'data-'));
  mustRun('cp', ['-a', `${template}/.`, data]);
  return data;
}

function makeTemplate(engine: Engine, root: string, template: string): void {
  // Two test files may make it at once, so each makes its own and renames it.
  mkdirSync(join(root, 'srv'), { recursive: true });
  const draft = mkdtempSync(join(root, 'srv', 'draft-'));
  mustRun('chroot', [root, 'chown', 'mysql:mysql', draft.slice(root.length)]);
  const inRoot = draft.slice(root.length);
  if (engine === 'mysql') {
    mustRun('chroot', [root, 'mysqld', ...toArguments(engine, inRoot), '--initialize-insecure']);
  } else {
    const how = ['--auth-root-authentication-method=normal', '--skip-test-db', '--force'];
    const where = ['--no-defaults', `--datadir=${inRoot}`, '--user=mysql'];
    mustRun('chroot', [root, 'mariadb-install-db', ...where, ...how]);
  }
  mustRun('touch', [join(draft, 'done')]);
  if (spawnSync('mv', ['-T', '-n', draft, template]).status !== 0 || existsSync(draft)) {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Returns settings that keep commits durable and the binary log synced. */
function toArguments(engine: Engine, data: string): string[] {
  const common = ['--no-defaults', `--datadir=${data}`, '--user=mysql', `--tmpdir=${data}`];
  const small = ['--innodb-buffer-pool-size=64M', '--performance-schema=OFF'];
  if (engine === 'mysql') return [...common, ...small, '--mysqlx=OFF'];
  return [...common, ...small, '--log-bin=binlog', '--sync-binlog=1', '--server-id=1'];
}

function mustRun(command: string, args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
