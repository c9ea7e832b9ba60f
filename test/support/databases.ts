// Where the real database servers are that scripts/mysql/servers.sh brings.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The engines that the store is held to. */
export const engines = ['mysql', 'mariadb'] as const;

/** One of them. */
export type Engine = (typeof engines)[number];

/** The Debian root that holds an engine; undefined where it is not there or can't be entered. */
export function findEngineRoot(engine: Engine): string | undefined {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const root = join(
    process.env.CHAT_CI_CACHE || join(cache, 'chat-ci'),
    'roots',
    `${engine}-server`,
  );
  return process.getuid?.() === 0 && existsSync(`${root}.done`) ? root : undefined;
}
