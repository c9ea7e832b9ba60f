// A real power loss loses nothing that was acknowledged; a server that does not sync is seen to lose.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { need } from '../../support/need.ts';
import { losePower } from './power-loss.ts';

suite('a loss of power on ext4', { skip: need('loop') }, () => {
  test('loses nothing that was acknowledged', async () => {
    const { faults, acknowledged } = await losePower('ext4', 16, 3);
    assert.deepEqual(faults, []);
    assert.ok(acknowledged > 0);
  });

  test('is seen to lose messages that were only in memory', async () => {
    const { faults } = await losePower('ext4', 16, 3, { CHAT_DURABILITY: 'memory' });
    assert.notDeepEqual(faults, []);
  });
});
