// The one error class and the system's codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError, toErrno } from '../../lib/errors.ts';
import { STATUS } from '../../lib/http/response/reply.ts';

test('an expected failure has its kind, its words and what lies beneath', () => {
  const cause = new Error('beneath');
  const error = new ServiceError('busy', 'too many', cause);
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [error.name, error.code, error.message, error.cause],
    ['ServiceError', 'busy', 'too many', cause],
  );
});

test('the system’s code of a failure is told, of anything else there is none', () => {
  assert.equal(toErrno(Object.assign(new Error('x'), { code: 'ENOSPC' })), 'ENOSPC');
  for (const other of [new Error('x'), undefined, null, 'ENOSPC', 5, { code: 5 }]) {
    assert.equal(toErrno(other), undefined);
  }
});

test('every kind has a status of its meaning', () => {
  for (const status of Object.values(STATUS)) assert.ok(status >= 400 && status < 600);
  assert.equal(STATUS.unavailable, 503);
  assert.equal(STATUS.busy, 503);
  assert.equal(STATUS.forbidden, 403);
});
