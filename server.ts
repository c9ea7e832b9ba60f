/** Serves, and drains on a signal: config → store → app → listen. Commands beside that are in lib/cli. */
import { runCommandLine } from './lib/cli/cli.ts';
import { openStore } from './lib/cli/open-store.ts';
import { type Config, dropEmptyTimeZone, readConfig } from './lib/config/config.ts';
import { ServiceError, toErrno } from './lib/errors.ts';
import { createApp } from './lib/http/app.ts';
import { Assets } from './lib/http/assets.ts';
import { Listener } from './lib/http/listener.ts';
import { Reply } from './lib/http/response/reply.ts';
import { Hub } from './lib/live/hub.ts';
import { Log, writeOut } from './lib/ops/log.ts';
import { Registry } from './lib/ops/metrics.ts';
import { registerProcessMetrics } from './lib/ops/process-metrics.ts';
import type { Store } from './lib/store/store.ts';

/** How long connections may stay open after SIGTERM, and after SIGINT from somebody who waits. */
const GRACE_MS = { SIGTERM: 8000, SIGINT: 2000 } as const;

/** A drain that is not done by then ends all the same. */
const DRAIN_LIMIT_MS = 9500;

interface Service {
  readonly listener: Listener;
  readonly live: Hub;
  readonly store: Store;
  readonly log: Log;
  isDraining: boolean;
}

async function serve(): Promise<void> {
  dropEmptyTimeZone();
  const config = readConfig();
  const { serverName, timeZone, durability, storeAddress } = config;
  const log = new Log(config.log);
  const registry = new Registry();
  const parts = { log, registry };
  const store = await openStore('CHAT_STORE', storeAddress, durability === 'disk', parts);
  const assets = openAssets(config.staticFolder);
  const live = new Hub(store, log);
  const isDraining = (): boolean => service.isDraining;
  const reply = new Reply(`${serverName} (${config.hostname})`, isDraining);
  const app = { store, live, assets, reply, registry, log, timeZone, isDraining };
  const listener = new Listener({ handler: createApp(app), common: reply.common });
  const service: Service = { listener, live, store, log, isDraining: false };
  registerProcessMetrics(registry, {
    streams: () => live.subscriberCount,
    connections: () => listener.connectionCount,
  });
  drainOnSignal(service);
  const url = await listen(listener, config);
  writeOut(`chat: open ${url} (server ${serverName}, rooms in ${store.description})\n`);
}

function openAssets(folder: string): Assets {
  try {
    return new Assets(folder);
  } catch (error) {
    throw new ServiceError('bad-request', `CHAT_STATIC: ${(error as Error).message}`, error);
  }
}

/** @returns the URL to open */
async function listen(listener: Listener, { port, host }: Config): Promise<string> {
  try {
    const takenPort = await listener.listen(port, host);
    const shownHost = host?.includes(':') ? `[${host}]` : (host ?? 'localhost');
    return `http://${shownHost}:${takenPort}/`;
  } catch (error) {
    const isGoodValue = ['EADDRINUSE', 'EACCES'].includes(toErrno(error) ?? '');
    const text = `PORT, HOST: can't listen there: ${(error as Error).message}`;
    throw new ServiceError(isGoodValue ? 'unavailable' : 'bad-request', text, error);
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

await runCommandLine(process.argv.slice(2), serve);
