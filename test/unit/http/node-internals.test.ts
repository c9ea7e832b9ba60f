// What Node does not document is as we use it, on each Node that is there (contract §7: 20 or newer).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findNodes } from '../../support/need.ts';
import { makeEnvironment } from '../../support/server.ts';

const program = join(import.meta.dirname, 'node-internals.suite.js');

suite('what Node does not document is there, or done without', () => {
  for (const node of [process.execPath, ...findNodes()]) {
    test(`on ${node}`, () => {
      const options = { env: makeEnvironment({}), encoding: 'utf8' } as const;
      const { status, stdout } = spawnSync(node, ['--test-reporter=tap', program], options);
      assert.equal(status, 0, stdout);
      assert.match(stdout, /^# pass [1-9]/m);
    });
  }
});
