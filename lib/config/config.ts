/** The configuration: environment variables, checked once (contract §7). */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOG_LEVELS, type LogLevel } from '../ops/log.ts';
import {
  type MysqlAddress,
  parseStoreAddress,
  type StoreAddress,
  showStoreAddress,
} from './store-address.ts';
import { findTimeZone } from './time-zone.ts';

/** What the service is told. */
export interface Config {
  readonly port: number;
  /** `undefined` for all interfaces. */
  readonly host: string | undefined;
  /** The rooms' folder, an absolute path; or their database, as people are shown it. */
  readonly store: string;
  /** The rooms' database; `undefined` where they are in a folder. */
  readonly database: MysqlAddress | undefined;
  /** The front end's folder, an absolute path. */
  readonly staticFolder: string;
  readonly serverName: string;
  readonly hostname: string;
  /** The zone of the lines' times, an IANA name; `Etc/Unknown` where the system's has none. */
  readonly timeZone: string;
  readonly durability: 'disk' | 'memory';
  readonly log: LogLevel;
}

/** A variable's bad value. Its message is one line that says what would be right. */
export class ConfigError extends Error {}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment.
 *
 * @param environment the process's own unless told
 * @throws ConfigError for the first bad value
 */
export function readConfig(environment: Environment = process.env): Config {
  const root = findRoot();
  const hostname = os.hostname();
  const home = readHome(environment, root);
  return Object.freeze({
    port: toPort(environment),
    host: read(environment, 'HOST'),
    store: showStoreAddress(home),
    database: home.kind === 'database' ? home.address : undefined,
    staticFolder: toFolder(environment, 'CHAT_STATIC', path.join(root, 'static')),
    serverName: toServerName(environment, hostname),
    hostname,
    timeZone: toTimeZone(environment),
    durability: toChoice(environment, 'CHAT_DURABILITY', ['disk', 'memory'], 'disk'),
    log: toChoice(environment, 'CHAT_LOG', LOG_LEVELS, 'info'),
  });
}

/**
 * Makes a friendly name, always the same for the same host.
 *
 * @param hostname any text
 * @returns for example `brave-otter`
 */
export function toFriendlyName(hostname: string): string {
  const hash = createHash('sha256').update(hostname).digest();
  return `${pick(ADJECTIVES, hash.readUInt16BE(0))}-${pick(ANIMALS, hash.readUInt16BE(2))}`;
}

const ADJECTIVES =
  'amber bold brave bright brisk calm clever cosy crisp daring eager early fair fond gentle glad golden happy humble jolly keen kind lively lucky mellow merry mighty nimble noble patient plucky polite proud quick quiet ready rosy royal silver smart snowy steady sunny swift tidy warm wise witty'.split(
    ' ',
  );

const ANIMALS =
  'badger bear beaver bison crane deer dolphin eagle falcon finch fox gecko goose hare hawk hedgehog heron ibex jay koala lark lemur lion lynx marten mole moose newt otter owl panda pelican penguin puffin quail rabbit raven robin salmon seal sparrow squirrel stork swan tiger turtle walrus whale wolf wren yak zebra'.split(
    ' ',
  );

function pick(words: readonly string[], number: number): string {
  return words[number % words.length]!;
}

/** An empty variable counts as none, as Compose files and shells leave them. */
function read(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

function toPort(environment: Environment): number {
  const text = read(environment, 'PORT') ?? '8080';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ConfigError(`PORT is ${show(text)}; it takes a whole number from 0 to 65535`);
}

function readHome(environment: Environment, root: string): StoreAddress {
  const text = read(environment, 'CHAT_STORE') ?? path.join(root, 'rooms');
  return readStoreAddress('CHAT_STORE', text, environment);
}

/**
 * Reads a home that the command line names.
 *
 * @param name what the text is called there
 * @param text a folder or a `mysql://` address
 * @throws ConfigError for a bad one
 */
export function readStoreAddress(
  name: string,
  text: string,
  environment: Environment = process.env,
): StoreAddress {
  const password = readPassword(environment);
  try {
    return parseStoreAddress(text, password);
  } catch (error) {
    throw new ConfigError(`${name} ${(error as Error).message}`);
  }
}

/** @returns the password without the line break at its end; `undefined` where no file is named */
function readPassword(environment: Environment): string | undefined {
  const file = read(environment, 'CHAT_STORE_PASSWORD_FILE');
  if (file === undefined) return undefined;
  try {
    return fs.readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new ConfigError(
      `CHAT_STORE_PASSWORD_FILE is ${show(file)}; it takes a file that can be read (${(error as Error).message})`,
    );
  }
}

function toFolder(environment: Environment, name: string, fallback: string): string {
  const value = read(environment, name);
  const folder = value === undefined ? fallback : path.resolve(value);
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new ConfigError(`${name} is ${show(folder)}; it takes a folder that exists`);
}

function toServerName(environment: Environment, hostname: string): string {
  const name = read(environment, 'CHAT_SERVER_NAME') ?? toFriendlyName(hostname);
  // It travels in a header field, where other characters have no agreed meaning.
  if (/^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/.test(name)) return name;
  throw new ConfigError(
    `CHAT_SERVER_NAME is ${show(name)}; it takes 1 to 64 printable ASCII characters, trimmed`,
  );
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
  throw new ConfigError(`${name} is ${show(value)}; it takes ${choices.join(', ')}`);
}

function toTimeZone(environment: Environment): string {
  const zone = read(environment, 'TZ');
  // An empty one counts as none here, and to Node as UTC.
  if (zone === undefined && environment === process.env) delete process.env.TZ;
  if (zone === undefined) return findTimeZone();
  // Asking for a zone brings all of ICU into memory, 8 MB of it; the image's own needs no asking.
  if (zone === 'UTC') return zone;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    throw new ConfigError(`TZ is ${show(zone)}; it takes a time zone's name as Europe/Berlin`);
  }
}

/** A value as it may stand in one line. */
function show(value: string): string {
  return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
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
