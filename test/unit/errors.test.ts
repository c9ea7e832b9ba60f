// The one error class and the system's codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError, toErrno, toServiceError } from '../../lib/errors.ts';

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
