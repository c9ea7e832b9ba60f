/** The one error class: a code that the web's face maps to a status, and words for the sender. */

/** What went wrong, by kind; `http/reply.ts` has the table from kind to status. */
export type ErrorCode =
  | 'bad-request'
  | 'forbidden'
  | 'timeout'
  | 'gone'
  | 'too-large'
  | 'media-type'
  | 'unavailable'
  | 'busy';

/** An expected failure. Its message is one line that says what is wrong and what would be right. */
export class ServiceError extends Error {
  readonly code: ErrorCode;

  /**
   * @param code the kind of failure
   * @param message one line, safe to show to anybody
   * @param cause what lies beneath, for the log
   */
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ServiceError';
    this.code = code;
  }
}

/** The system's error code of a failure (`ENOSPC`), or `undefined` where it has none. */
export function toErrno(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
