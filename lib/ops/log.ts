/** The log: one line an event on standard output. Never a message, never a username. */

/** How much is logged, from most to least. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line tells beside its text; an `error` is shown with its stack's first lines. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines of a level and above. */
export class Log {
  readonly #least: number;
  readonly #write: (line: string) => void;

  /**
   * @param level the least level that is written
   * @param write takes a line with its LF
   */
  constructor(level: LogLevel, write: (line: string) => void = writeOut) {
    this.#least = LOG_LEVELS.indexOf(level);
    this.#write = write;
  }

  /** Whether lines of this level are written: ask before you build a costly one. */
  has(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#least;
  }

  /** Tells what only somebody who looks for a fault wants to know. */
  debug(text: string, fields?: LogFields): void {
    this.#log('debug', text, fields);
  }

  /** Tells what an operator wants to know. */
  info(text: string, fields?: LogFields): void {
    this.#log('info', text, fields);
  }

  /** Tells of something odd that the service copes with. */
  warn(text: string, fields?: LogFields): void {
    this.#log('warn', text, fields);
  }

  /** Tells of something that failed. */
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

/**
 * Writes one line to standard output, or to standard error.
 *
 * @param line the line with its LF
 */
export function writeOut(line: string): void {
  process.stdout.write(line);
}

/** Writes one line to standard error. */
export function writeError(line: string): void {
  process.stderr.write(line);
}

/** Lets the service live on when nobody reads what it writes (a closed pipe). */
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
  const beneath = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.stack?.split('\n').slice(0, 6).join(' ') ?? error.message}${beneath}`;
}
