/** What a sender or reader hears of a failing disk. */
import { ServiceError, toErrno } from '../errors.ts';

/** Makes a refusal of the system's error; everything else is a bug and stays what it is. */
export function toServiceError(error: unknown): unknown {
  if (error instanceof ServiceError) return error;
  const errno = toErrno(error);
  if (errno === undefined || errno.startsWith('ERR_')) return error;
  const text = `the store can't do this now (${errno}); try again in a moment`;
  return new ServiceError('unavailable', text, error);
}
