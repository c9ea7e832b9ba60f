/**
 * The command line: runs the command that the first word names, or serves if there is none. A failure
 * ends the process with one line and an exit code, here and nowhere else.
 *
 * A command is a file of this folder and a row of the table below. Its code is loaded only if it is
 * asked for. To fail, a command throws a `ServiceError`; any other error is a bug and keeps its stack.
 */
import { ServiceError } from '../errors.ts';
import { ignoreClosedOutput, writeError } from '../ops/log.ts';

interface Command {
  /** Its arguments, as the usage shows them. */
  readonly usage: string;
  /** How many there may be. */
  readonly argumentCounts: readonly number[];
  readonly load: () => Promise<(...args: string[]) => Promise<void>>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  migrate: {
    usage: 'FROM TO (each a folder or a mysql:// address)',
    argumentCounts: [2],
    load: async () => (await import('./migrate.ts')).runMigrate,
  },
  recover: {
    usage: '[FOLDER] (after a power loss; a start does it as well)',
    argumentCounts: [0, 1],
    load: async () => (await import('./recover.ts')).runRecover,
  },
};

/** Runs what the command line asks for. */
export async function runCommandLine(
  words: readonly string[],
  serve: () => Promise<void>,
): Promise<void> {
  ignoreClosedOutput();
  try {
    const run = words.length === 0 ? serve : await loadCommand(words);
    await run();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    exit(error);
  }
}

async function loadCommand([name, ...args]: readonly string[]): Promise<() => Promise<void>> {
  const command = Object.entries(COMMANDS).find(([one]) => one === name)?.[1];
  if (!command?.argumentCounts.includes(args.length)) {
    const usages = Object.entries(COMMANDS).map(([one, { usage }]) => `${one} ${usage}`);
    throw new ServiceError('bad-request', `takes no command but: ${usages.join('; ')}`);
  }
  const run = await command.load();
  return () => run(...args);
}

/** Exits with 2 if somebody gave a bad value, else with 1 (contract §7). */
function exit({ code, message }: ServiceError): never {
  writeError(`chat: ${message.replace(/\s+/g, ' ')}\n`);
  process.exit(code === 'bad-request' ? 2 : 1);
}
