/** The command `migrate FROM TO`: copies every room from one store to another (contract §10). */
import { existsSync } from 'node:fs';
import { readLogLevel, readStoreAddress } from '../config/config.ts';
import { showStoreAddress } from '../config/store-address.ts';
import { ServiceError } from '../errors.ts';
import { migrate, type OnProgress, type Summary } from '../migrate/migrate.ts';
import { Log, writeError, writeOut } from '../ops/log.ts';
import { Registry } from '../ops/metrics.ts';
import type { Store } from '../store/store.ts';
import { openStore } from './open-store.ts';

/**
 * Runs the command. The exit code is 1 if a room of the target was left as it is.
 *
 * @throws ServiceError if one of the two can't be opened, or if the copy stops
 */
export async function runMigrate(from: string, to: string): Promise<void> {
  const source = readStoreAddress('FROM', from);
  const target = readStoreAddress('TO', to);
  if (source.kind === 'folder' && !existsSync(source.folder)) {
    throw new ServiceError('bad-request', `FROM: there is no folder ${source.folder}`);
  }
  if (showStoreAddress(source) === showStoreAddress(target)) {
    throw new ServiceError('bad-request', 'FROM and TO are the same');
  }
  // What a store tells an operator is of no interest here, but for its failures.
  const log = new Log(readLogLevel() === 'debug' ? 'debug' : 'error');
  const parts = { log, registry: new Registry() };
  const sourceStore = await openStore('FROM', source, true, parts);
  const targetStore = await openStore('TO', target, true, parts);
  await copy(sourceStore, targetStore);
  await sourceStore.close();
  await targetStore.close();
}

async function copy(source: Store, target: Store): Promise<void> {
  try {
    const summary = await migrate(source, target, createReporter());
    writeOut(showSummary(summary));
    if (summary.refused.length > 0) process.exitCode = 1;
  } catch (error) {
    const text = `the copy stopped: ${(error as Error).message}; run it again to resume`;
    throw new ServiceError('unavailable', text, error);
  }
}

/** Makes a function that prints a line for every tenth of the copy. */
function createReporter(): OnProgress {
  const toMegabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  let shownTenths = 0;
  return (doneBytes, totalBytes) => {
    const tenths = Math.floor((doneBytes / totalBytes) * 10);
    if (tenths === shownTenths) return;
    shownTenths = tenths;
    const done = `${toMegabytes(doneBytes)} of ${toMegabytes(totalBytes)} MB`;
    writeError(`chat: ${tenths * 10} %, ${done}\n`);
  };
}

/** Sums up a copy: one line for each room that was refused, and one for all. */
function showSummary({ rooms, copiedBytes, refused }: Summary): string {
  const lines = refused.map(
    ({ room, reason }) => `chat: left the target's room ${JSON.stringify(room)}: ${reason}\n`,
  );
  const same = `${rooms - refused.length} of ${rooms} rooms are the same now`;
  return `${lines.join('')}chat: ${same}; ${copiedBytes} bytes were copied\n`;
}
