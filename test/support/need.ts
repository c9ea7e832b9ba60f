// What a test needs beyond Node: found, or a skip that says which command brings it.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findEngineRoot } from './databases.ts';

interface Need {
  isThere: () => boolean;
  bringIt: string;
}

const needs = {
  chromium: {
    isThere: () => findChromium() !== undefined,
    bringIt: 'apt-get install -y chromium',
  },
  curl: { isThere: () => findProgram('curl') !== undefined, bringIt: 'apt-get install -y curl' },
  descriptors: {
    isThere: () => countDescriptors() >= 10_500,
    bringIt: 'ulimit -n 20000, before npm test',
  },
  git: { isThere: isGitCheckout, bringIt: 'git clone, with git installed: apt-get install -y git' },
  mariadb: {
    isThere: () => findEngineRoot('mariadb') !== undefined,
    bringIt: 'sudo bash scripts/mysql/servers.sh mariadb, on Debian; then sudo npm test',
  },
  mysql: {
    isThere: () => findEngineRoot('mysql') !== undefined,
    bringIt: 'sudo bash scripts/mysql/servers.sh mysql, on Debian; then sudo npm test',
  },
  linux: { isThere: () => process.platform === 'linux', bringIt: 'run it on Linux' },
  nodes: {
    isThere: () => findNodes().length > 0,
    bringIt: 'bash .ci/nodes (or CHAT_TEST_NODES=/path/to/node:/path/to/another)',
  },
  root: {
    isThere: () => process.platform === 'linux' && process.getuid?.() === 0,
    bringIt: 'sudo npm test, on Linux',
  },
  strace: { isThere: canTrace, bringIt: 'apt-get install -y strace' },
  tmpfs: { isThere: canMount, bringIt: 'sudo npm test, on Linux, where mounting is allowed' },
} satisfies Record<string, Need>;

/**
 * Says why a test can't run here, for its `skip` option: `false` where the thing is there, else a
 * reason that ends with the command that brings it. Under CHAT_TEST_REQUIRE=all it throws instead,
 * so that nothing is left out unseen.
 */
export function need(...names: (keyof typeof needs)[]): string | false {
  const missing = names.filter((name) => !needs[name].isThere());
  if (missing.length === 0) return false;
  const reason = missing.map((name) => `needs ${name}: ${needs[name].bringIt}`).join('; ');
  if (process.env.CHAT_TEST_REQUIRE === 'all') throw new Error(reason);
  return reason;
}

/** The browser to drive: CHROMIUM where that is set, else the first of the usual names. */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM;
  if (named) return named;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return names.map(findProgram).find((path) => path !== undefined);
}

/** The path of a program in PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/**
 * Other versions' node programs: those that CHAT_TEST_NODES lists, separated as PATH is, else those
 * that `.ci/nodes` keeps in the cache folder.
 */
export function findNodes(): string[] {
  const listed = process.env.CHAT_TEST_NODES;
  if (listed) return listed.split(delimiter).filter(Boolean);
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'chat-ci', 'nodes');
  if (!existsSync(cache)) return [];
  const installed = readdirSync(cache).sort();
  return installed.map((version) => join(cache, version, 'bin', 'node')).filter(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** How many files this process may have open; node takes all that the hard limit grants. */
function countDescriptors(): number {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
  return stdout?.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout);
}

function isGitCheckout(): boolean {
  return spawnSync('git', ['rev-parse', '--git-dir']).status === 0;
}

function canTrace(): boolean {
  // It may be installed and yet not allowed, as in a container without ptrace.
  return spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const script = 'mount -t tmpfs -o size=64k chat-test /mnt && umount /mnt';
  return spawnSync('unshare', ['-m', 'sh', '-c', script]).status === 0;
}
