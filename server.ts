/** The front door: config, store, app, listen, drain. The only file that knows everyone. */
import { existsSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Config, ConfigError, readConfig, readStoreAddress } from './lib/config/config.ts';
import { type StoreAddress, showStoreAddress } from './lib/config/store-address.ts';
import { createApp } from './lib/http/app.ts';
import { Listener } from './lib/http/listener.ts';
import { Replier } from './lib/http/response/reply.ts';
import { Assets } from './lib/http/routes/assets.ts';
import { Hub } from './lib/live/hub.ts';
import { ignoreClosedOutput, Log, writeError, writeOut } from './lib/ops/log.ts';
import { Registry } from './lib/ops/metrics.ts';
import type { Archive } from './lib/store/archive.ts';
import { FolderStore } from './lib/store/folder/folder-store.ts';
import type { Store } from './lib/store/store.ts';

/** How long connections may stay open after SIGTERM, and after SIGINT from somebody who waits. */
const GRACE_MS = { SIGTERM: 8000, SIGINT: 2000 } as const;

/** A drain that is not done by then ends all the same. */
const DRAIN_LIMIT_MS = 9500;

/** How often the event loop's lag is measured. */
const LAG_RESOLUTION_MS = 100;

/** The exit code for a bad value (contract §7). */
const BAD_VALUE = 2;

interface Service {
  readonly listener: Listener;
  readonly live: Hub;
  readonly store: Store;
  readonly log: Log;
  isDraining: boolean;
}

async function main(): Promise<void> {
  ignoreClosedOutput();
  const [command, ...words] = process.argv.slice(2);
  if (command === undefined) return serve();
  if (command === 'migrate' && words.length === 2) return copyRooms(words[0]!, words[1]!);
  exitWith(
    'takes no command but: migrate FROM TO (each a folder or a mysql:// address)',
    BAD_VALUE,
  );
}

async function serve(): Promise<void> {
  const config = orExit(() => readConfig());
  const log = new Log(config.log);
  const registry = new Registry();
  const store = await openStore(config, log, registry).catch(exitBad);
  const assets = orExit(() => new Assets(config.staticFolder), 'CHAT_STATIC: ');
  const live = new Hub(store, log);
  const replier = new Replier(
    `${config.serverName} (${config.hostname})`,
    () => service.isDraining,
  );
  const { serverName, timeZone } = config;
  const isDraining = (): boolean => service.isDraining;
  const app = { store, live, assets, replier, registry, log, serverName, timeZone, isDraining };
  const listener = new Listener({ handler: createApp(app), common: replier.common });
  const service: Service = { listener, live, store, log, isDraining: false };
  sampleProcess(registry, service);
  drainOnSignal(service);
  const port = await listener.listen(config.port, config.host).catch(exitUnheard);
  const host = config.host ?? 'localhost';
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
  writeOut(`chat: open ${url} (server ${serverName}, rooms in ${store.description})\n`);
}

/** The code for a database is loaded only where one is used: the folder needs no package. */
async function openStore(config: Config, log: Log, registry: Registry): Promise<Store> {
  const { database, durability, store: folder } = config;
  try {
    if (database === undefined) {
      return new FolderStore({ folder, durable: durability === 'disk', log, registry });
    }
    const { MysqlStore } = await import('./lib/store/mysql/mysql-store.ts');
    return await MysqlStore.open({ address: database, log, registry });
  } catch (error) {
    const right = database === undefined ? '; it takes a folder that can be written to' : '';
    throw new ConfigError(`CHAT_STORE: ${(error as Error).message}${right}`);
  }
}

/** Copies every room; exits with 1 where rooms of the target were left as they are. */
async function copyRooms(from: string, to: string): Promise<void> {
  const config = orExit(() => readConfig());
  const [source, target] = orExit(() => [
    readStoreAddress('FROM', from),
    readStoreAddress('TO', to),
  ]);
  if (showStoreAddress(source!) === showStoreAddress(target!))
    exitWith('FROM and TO are the same', BAD_VALUE);
  const { migrate } = await import('./lib/migrate/migrate.ts');
  const { createReporter, showSummary } = await import('./lib/migrate/progress.ts');
  const archives: Archive[] = [];
  try {
    archives.push(await openArchive(source!, config, true), await openArchive(target!, config));
    const report = createReporter(process.stderr.isTTY, writeError);
    const summary = await migrate(archives[0]!, archives[1]!, report);
    writeOut(showSummary(summary));
    process.exitCode = summary.refused.length === 0 ? 0 : 1;
  } catch (error) {
    if (error instanceof ConfigError) exitBad(error);
    exitWith(`the copy stopped: ${(error as Error).message}; another run goes on from there`, 1);
  }
  for (const archive of archives) await archive.close();
}

async function openArchive(
  home: StoreAddress,
  { log: level }: Config,
  mustExist = false,
): Promise<Archive> {
  const parts = { log: new Log(level === 'debug' ? level : 'error'), registry: new Registry() };
  try {
    if (home.kind === 'database') {
      const { MysqlStore } = await import('./lib/store/mysql/mysql-store.ts');
      return await MysqlStore.open({ address: home.address, ...parts });
    }
    if (mustExist && !existsSync(home.folder)) throw new Error('there is no such folder');
    const { FolderArchive } = await import('./lib/store/folder/archive.ts');
    return new FolderArchive({ folder: home.folder, durable: true, ...parts });
  } catch (error) {
    throw new ConfigError(`${showStoreAddress(home)}: ${(error as Error).message}`);
  }
}

function drainOnSignal(service: Service): void {
  const onSignal = (signal: 'SIGTERM' | 'SIGINT'): void => {
    if (service.isDraining) process.exit(0);
    service.isDraining = true;
    service.log.info('draining; a second signal exits at once', { signal });
    setTimeout(() => process.exit(0), DRAIN_LIMIT_MS).unref();
    void drain(service, GRACE_MS[signal]);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

async function drain({ listener, live, store, log }: Service, graceMs: number): Promise<void> {
  const drained = listener.drain(graceMs);
  live.close();
  await drained;
  await store.close();
  log.info('drained');
  process.exit(0);
}

function sampleProcess(registry: Registry, { live, listener }: Service): void {
  const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delay.enable();
  const { memoryUsage, cpuUsage } = process;
  const toCpu = (): number => (cpuUsage().user + cpuUsage().system) / 1e6;
  const toLag = (): number => {
    const seconds = Math.max(0, (delay.max / 1e6 - LAG_RESOLUTION_MS) / 1e3);
    delay.reset();
    return seconds;
  };
  registry.sample('chat_live_streams', 'Live streams.', 'gauge', () => live.subscriberCount);
  registry.sample('chat_connections', 'Open connections.', 'gauge', () => listener.connectionCount);
  registry.sample('process_resident_memory_bytes', 'Memory.', 'gauge', () => memoryUsage.rss());
  registry.sample('process_cpu_seconds_total', 'CPU time.', 'counter', toCpu);
  registry.sample('chat_event_loop_lag_seconds', 'Worst lag since the last look.', 'gauge', toLag);
}

/** Runs a step of the start; a failure is one line and the exit code of a bad value. */
function orExit<T>(step: () => T, prefix = ''): T {
  try {
    return step();
  } catch (error) {
    return exitBad(error as Error, prefix);
  }
}

function exitBad(error: Error, prefix = ''): never {
  return exitWith(`${prefix}${error.message}`, BAD_VALUE);
}

function exitUnheard(error: NodeJS.ErrnoException): never {
  const isBadValue = error.code !== 'EADDRINUSE' && error.code !== 'EACCES';
  return exitWith(`PORT, HOST: can't listen there: ${error.message}`, isBadValue ? BAD_VALUE : 1);
}

function exitWith(text: string, code: number): never {
  writeError(`chat: ${text.replace(/\s+/g, ' ')}\n`);
  process.exit(code);
}

await main();
