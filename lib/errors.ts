/** The one error class for expected failures. Everything else that is thrown is a bug. */

/**
 * The kind of a failure. `http/response/reply.ts` has the table from kind to status; on the command line
 * `bad-request` is a bad value (exit code 2), anything else exits with 1.
 */
export type ErrorCode =
  | 'bad-request'
  | 'forbidden'
  | 'timeout'
  | 'conflict'
  | 'gone'
  | 'too-large'
  | 'media-type'
  | 'unavailable'
  | 'busy';

/** An expected failure. Its message is one line that says what is wrong and what would be right. */
export class ServiceError extends Error {
  readonly code: ErrorCode;

  /** Takes one line that is safe to show to anybody, and for the log the error that led to it. */
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ServiceError';
    this.code = code;
  }
}

/** @returns the system's code of an error (`ENOSPC`), `undefined` if it has none */
export function toErrno(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Makes a ServiceError `unavailable` of a system error; any other error stays what it is. */
export function toServiceError(error: unknown): unknown {
  if (error instanceof ServiceError) return error;
  const errno = toErrno(error);
  // Node's own codes tell of a wrong call, so of a bug.
  if (errno === undefined || errno.startsWith('ERR_')) return error;
  const message = `the store can't do this now (${errno}); try again in a moment`;
  return new ServiceError('unavailable', message, error);
}
