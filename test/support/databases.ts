// Finds the real database servers that scripts/mysql/servers.sh installs.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The engines that the MySQL store is tested on. */
export const engines = ['mysql', 'mariadb'] as const;

/** The name of an engine. */
export type Engine = (typeof engines)[number];

/** Finds the Debian root with an engine; undefined if there is none, or if chroot is not allowed. */
export function findEngineRoot(engine: Engine): string | undefined {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const root = join(
    process.env.CHAT_CI_CACHE || join(cache, 'chat-ci'),
    'roots',
    `${engine}-server`,
  );
  return process.getuid?.() === 0 && existsSync(`${root}.done`) ? root : undefined;
}
