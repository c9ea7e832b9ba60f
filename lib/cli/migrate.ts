/** The command `migrate FROM TO`: copies every room from one store to another (contract §10). */
import { existsSync } from 'node:fs';
import { readLogLevel, readStoreAddress } from '../config/config.ts';
import { showStoreAddress } from '../config/store-address.ts';
import { ServiceError } from '../errors.ts';
import { migrate } from '../migrate/migrate.ts';
import { createReporter, showSummary } from '../migrate/progress.ts';
import { Log, writeError, writeOut } from '../ops/log.ts';
import { Registry } from '../ops/metrics.ts';
import type { Archive } from '../store/archive.ts';
import { openStore } from './open-store.ts';

/**
 * Runs the command. The exit code is 1 if a room of the target was left as it is.
 *
 * @param from a folder that exists, or a `mysql://` address
 * @param to a folder or a `mysql://` address
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

async function copy(source: Archive, target: Archive): Promise<void> {
  try {
    const report = createReporter(writeError);
    const summary = await migrate(source, target, report);
    writeOut(showSummary(summary));
    if (summary.refused.length > 0) process.exitCode = 1;
  } catch (error) {
    const reason = (error as Error).message;
    throw new ServiceError(
      'unavailable',
      `the copy stopped: ${reason}; run it again to resume`,
      error,
    );
  }
}
