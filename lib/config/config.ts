/**
 * The configuration: environment variables, read and checked once (contract §7). This is the only file
 * that reads the environment. A bad value is a `ServiceError` with the code `bad-request`, whose message
 * is one line that says what would be right.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '../errors.ts';
import { LOG_LEVELS, type LogLevel } from '../ops/log.ts';
import { toFriendlyName } from './server-name.ts';
import { parseStoreAddress, type StoreAddress } from './store-address.ts';
import { findTimeZone } from './time-zone.ts';

/** What the service is told. */
export interface Config {
  readonly port: number;
  /** `undefined` for all interfaces. */
  readonly host: string | undefined;
  readonly storeAddress: StoreAddress;
  /** The front end's folder, an absolute path. */
  readonly staticFolder: string;
  readonly serverName: string;
  readonly hostname: string;
  /** The IANA name of the zone in which lines are written. */
  readonly timeZone: string;
  readonly durability: 'disk' | 'memory';
  readonly log: LogLevel;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads all that serving needs; throws a ServiceError for the first bad value. */
export function readConfig(environment: Environment = process.env): Config {
  const root = findRoot();
  const hostname = os.hostname();
  return {
    port: toPort(environment),
    host: read(environment, 'HOST'),
    storeAddress: readOwnStore(environment),
    staticFolder: toStaticFolder(environment, path.join(root, 'static')),
    serverName: toServerName(environment, hostname),
    hostname,
    timeZone: toTimeZone(environment),
    durability: toChoice(environment, 'CHAT_DURABILITY', ['disk', 'memory'], 'disk'),
    log: readLogLevel(environment),
  };
}

/** Reads `CHAT_LOG` alone. */
export function readLogLevel(environment: Environment = process.env): LogLevel {
  return toChoice(environment, 'CHAT_LOG', LOG_LEVELS, 'info');
}

/** Reads `CHAT_STORE` alone. */
export function readOwnStore(environment: Environment = process.env): StoreAddress {
  const text = read(environment, 'CHAT_STORE') ?? path.join(findRoot(), 'rooms');
  return readStoreAddress('CHAT_STORE', text, environment);
}

/**
 * Reads a store address (see {@link parseStoreAddress}), and for a database `CHAT_STORE_PASSWORD_FILE`.
 *
 * @param name what the operator calls it: a variable or a word of a command
 */
export function readStoreAddress(
  name: string,
  text: string,
  environment: Environment = process.env,
): StoreAddress {
  const parsed = parseStoreAddress(text, name);
  if (parsed.kind === 'folder') return parsed;
  const filePassword = readPassword(environment);
  const password = parsed.address.password || filePassword;
  return { kind: 'database', address: { ...parsed.address, password } };
}

/**
 * Takes an empty `TZ` out of the environment, where it counts as absent: `Date` takes it for UTC.
 * To be called before the configuration is read.
 */
export function dropEmptyTimeZone(): void {
  if (process.env.TZ === '') delete process.env.TZ;
}

/** An empty variable counts as absent, as Compose files and shells leave them. */
function read(environment: Environment, name: string): string | undefined {
  return environment[name] || undefined;
}

function toPort(environment: Environment): number {
  const text = read(environment, 'PORT') ?? '8080';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw badValue('PORT', text, 'a whole number from 0 to 65535');
}

/** @returns the password without the line break at its end; empty if no file is named */
function readPassword(environment: Environment): string {
  const name = 'CHAT_STORE_PASSWORD_FILE';
  const file = read(environment, name);
  if (file === undefined) return '';
  try {
    return fs.readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw badValue(name, file, `a file that can be read (${(error as Error).message})`);
  }
}

function toStaticFolder(environment: Environment, fallback: string): string {
  const folder = path.resolve(read(environment, 'CHAT_STATIC') ?? fallback);
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw badValue('CHAT_STATIC', folder, 'a folder that exists');
}

function toServerName(environment: Environment, hostname: string): string {
  const name = read(environment, 'CHAT_SERVER_NAME') ?? toFriendlyName(hostname);
  // It travels in a header field, where other characters have no agreed meaning.
  if (/^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/.test(name)) return name;
  throw badValue('CHAT_SERVER_NAME', name, '1 to 64 printable ASCII characters, trimmed');
}

function toTimeZone(environment: Environment): string {
  const asked = read(environment, 'TZ');
  const zone = findTimeZone(asked);
  if (zone !== undefined) return zone;
  throw badValue('TZ', asked!, "a time zone's name as Europe/Berlin, in this very spelling");
}

function toChoice<T extends string>(
  environment: Environment,
  name: string,
  choices: readonly T[],
  fallback: T,
): T {
  const value = read(environment, name) ?? fallback;
  const choice = choices.find((one) => one === value);
  if (choice !== undefined) return choice;
  throw badValue(name, value, choices.join(', '));
}

function badValue(name: string, value: string, right: string): ServiceError {
  const shown = JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
  return new ServiceError('bad-request', `${name} is ${shown}; it takes ${right}`);
}

/** The folder of `package.json`: this file runs as `lib/config/config.ts` and bundled in `dist/`. */
function findRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!fs.existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) return process.cwd();
    folder = parent;
  }
  return folder;
}
