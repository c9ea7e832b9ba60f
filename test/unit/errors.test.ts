// The one error class and the system's codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError, toErrno, toServiceError } from '../../lib/errors.ts';
import { STATUS } from '../../lib/http/response/reply.ts';

test('an expected failure has its code, its message and its cause', () => {
  const cause = new Error('cause');
  const error = new ServiceError('busy', 'too many', cause);
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [error.name, error.code, error.message, error.cause],
    ['ServiceError', 'busy', 'too many', cause],
  );
});

test('a system error has an errno, and nothing else has', () => {
  assert.equal(toErrno(Object.assign(new Error('x'), { code: 'ENOSPC' })), 'ENOSPC');
  for (const other of [new Error('x'), undefined, null, 'ENOSPC', 5, { code: 5 }]) {
    assert.equal(toErrno(other), undefined);
  }
});

test('a system error becomes a ServiceError that names its errno, and a bug stays what it is', () => {
  const full = Object.assign(new Error('no space in /secret'), { code: 'ENOSPC' });
  const refused = toServiceError(full) as ServiceError;
  assert.ok(refused instanceof ServiceError);
  assert.equal(refused.code, 'unavailable');
  assert.match(refused.message, /^[^/]*\(ENOSPC\)[^/]*$/);
  assert.equal(refused.cause, full);
  const invalid = Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const error of [refused, new Error('x'), invalid, undefined]) {
    assert.equal(toServiceError(error), error);
  }
});

test('every code has the status that it means', () => {
  for (const status of Object.values(STATUS)) assert.ok(status >= 400 && status < 600);
  assert.equal(STATUS.unavailable, 503);
  assert.equal(STATUS.busy, 503);
  assert.equal(STATUS.forbidden, 403);
});
