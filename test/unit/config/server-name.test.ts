// The friendly name of a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toFriendlyName } from '../../../lib/config/server-name.ts';

test('a friendly name is the same for the same host, of two words, and differs between hosts', () => {
  const names = Array.from({ length: 200 }, (_, index) => toFriendlyName(`host-${index}`));
  for (const name of names) assert.match(name, /^[a-z]+-[a-z]+$/);
  assert.equal(toFriendlyName('host-0'), names[0]);
  assert.ok(new Set(names).size > 150, `only ${new Set(names).size} names`);
  assert.match(toFriendlyName(''), /^[a-z]+-[a-z]+$/);
});
