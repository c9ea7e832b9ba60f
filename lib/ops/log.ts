/**
 * What operators see of a process: the log here, the counters in `metrics.ts`. Neither knows rooms or
 * requests; whoever does says what to log and what to count.
 *
 * The log has one line an event on standard output, never with a message or a username. This is the only
 * file that writes to standard output and standard error.
 */

/** The levels, from the one that writes most to the one that writes least. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line says beside its text. An error is shown with the first lines of its stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines of one level and the levels above it. */
export class Log {
  readonly #least: number;
  readonly #write: (line: string) => void;

  /** @param level the lowest level that is written */
  constructor(level: LogLevel, write: (line: string) => void = writeOut) {
    this.#least = LOG_LEVELS.indexOf(level);
    this.#write = write;
  }

  /** Whether lines of this level are written: to be asked before a costly line is built. */
  has(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#least;
  }

  /** For whoever searches for a fault. */
  debug(text: string, fields?: LogFields): void {
    this.#log('debug', text, fields);
  }

  /** For the operator. */
  info(text: string, fields?: LogFields): void {
    this.#log('info', text, fields);
  }

  /** Something is odd, but the service copes with it. */
  warn(text: string, fields?: LogFields): void {
    this.#log('warn', text, fields);
  }

  /** Something failed. */
  error(text: string, fields?: LogFields): void {
    this.#log('error', text, fields);
  }

  #log(level: LogLevel, text: string, fields: LogFields = {}): void {
    if (!this.has(level)) return;
    let line = `${new Date().toISOString()} ${level} ${text}`;
    for (const [name, value] of Object.entries(fields)) line += ` ${name}=${toText(value)}`;
    this.#write(`${line}\n`);
  }
}

/** Writes text to standard output. */
export function writeOut(text: string): void {
  process.stdout.write(text);
}

/** Writes text to standard error. */
export function writeError(text: string): void {
  process.stderr.write(text);
}

/** Keeps the process alive when nobody reads its output any more (a closed pipe). */
export function ignoreClosedOutput(): void {
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}

function toText(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = value instanceof Error ? toErrorText(value) : String(value);
  // JSON leaves DEL and the C1 controls bare, which move a terminal's cursor.
  return JSON.stringify(text).replace(/[\x7f-\x9f\u2028\u2029]/g, toEscape);
}

function toEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function toErrorText(error: Error): string {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.stack?.split('\n').slice(0, 6).join(' ') ?? error.message}${cause}`;
}
