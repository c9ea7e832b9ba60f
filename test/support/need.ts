// Finds what a test needs beyond Node, or gives a reason to skip it with the command that installs it.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findEngineRoot } from './databases.ts';

interface Need {
  isThere: () => boolean;
  howToInstall: string;
}

const needs = {
  apache2: debian('apache2'),
  caddy: debian('caddy'),
  chromium: {
    isThere: () => findChromium() !== undefined,
    howToInstall: 'apt-get install -y chromium',
  },
  curl: debian('curl'),
  descriptors: {
    isThere: () => countDescriptors() >= 10_500,
    howToInstall: 'ulimit -n 20000, before npm test',
  },
  git: {
    isThere: isGitCheckout,
    howToInstall: 'git clone, with git installed: apt-get install -y git',
  },
  loop: {
    isThere: canLoop,
    howToInstall: 'sudo npm test, on Linux, where loop devices work; apt-get install -y e2fsprogs',
  },
  mariadb: {
    isThere: () => findEngineRoot('mariadb') !== undefined,
    howToInstall: 'sudo bash scripts/mysql/servers.sh mariadb, on Debian; then sudo npm test',
  },
  mysql: {
    isThere: () => findEngineRoot('mysql') !== undefined,
    howToInstall: 'sudo bash scripts/mysql/servers.sh mysql, on Debian; then sudo npm test',
  },
  haproxy: debian('haproxy'),
  httpie: debian('httpie', 'http'),
  linux: { isThere: () => process.platform === 'linux', howToInstall: 'run it on Linux' },
  lynx: debian('lynx'),
  nginx: debian('nginx'),
  nodes: {
    isThere: () => findNodes().length > 0,
    howToInstall: 'bash .ci/nodes (or CHAT_TEST_NODES=/path/to/node:/path/to/another)',
  },
  python: {
    isThere: () => spawnSync('python3', ['-c', 'import requests']).status === 0,
    howToInstall: 'apt-get install -y python3-requests',
  },
  root: {
    isThere: () => process.platform === 'linux' && process.getuid?.() === 0,
    howToInstall: 'sudo npm test, on Linux',
  },
  squid: debian('squid'),
  strace: { isThere: canTrace, howToInstall: 'apt-get install -y strace' },
  tmpfs: { isThere: canMount, howToInstall: 'sudo npm test, on Linux, where mounting is allowed' },
  varnish: debian('varnish', 'varnishd'),
  w3m: debian('w3m'),
  wget: debian('wget'),
} satisfies Record<string, Need>;

/** A program of a Debian package. */
function debian(name: string, program = name): Need {
  const isThere = () => findProgram(program) !== undefined;
  return { isThere, howToInstall: `apt-get install -y ${name}` };
}

/**
 * Gives a test's `skip` option.
 *
 * @returns false if everything is there, else the reason with the command that installs it
 * @throws under CHAT_TEST_REQUIRE=all, so that no test is skipped unnoticed
 */
export function need(...names: (keyof typeof needs)[]): string | false {
  const missing = names.filter((name) => !needs[name].isThere());
  if (missing.length === 0) return false;
  const reason = missing.map((name) => `needs ${name}: ${needs[name].howToInstall}`).join('; ');
  if (process.env.CHAT_TEST_REQUIRE === 'all') throw new Error(reason);
  return reason;
}

/** Finds the browser to drive: CHROMIUM if that is set, else the first of the usual names. */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM;
  if (named) return named;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return names.map(findProgram).find((path) => path !== undefined);
}

/** Finds a program in PATH. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/**
 * Finds node programs of other versions: those in CHAT_TEST_NODES, separated as in PATH, else those
 * that `.ci/nodes` installed.
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

/** How many files a process may have open: node raises its limit to the hard limit. */
function countDescriptors(): number {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
  return stdout?.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout);
}

function isGitCheckout(): boolean {
  return spawnSync('git', ['rev-parse', '--git-dir']).status === 0;
}

function canTrace(): boolean {
  // It may be installed and yet forbidden, as in a container without ptrace.
  return spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
}

/** Whether an image can be mounted: root, mkfs and loop devices. */
function canLoop(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const script =
    'f=$(mktemp) && truncate -s 8M "$f" && mkfs.ext4 -q -F "$f" && mount -o loop "$f" /mnt && umount /mnt; code=$?; rm -f "$f"; exit $code';
  return spawnSync('unshare', ['-m', 'sh', '-c', script]).status === 0;
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const script = 'mount -t tmpfs -o size=64k chat-test /mnt && umount /mnt';
  return spawnSync('unshare', ['-m', 'sh', '-c', script]).status === 0;
}
