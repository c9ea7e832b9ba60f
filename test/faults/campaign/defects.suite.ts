// A campaign can fail: it finds each defect that is put into a copy of the built service.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { runCampaign } from './campaign.ts';
import { breakService, defects } from './defects.ts';

suite('a campaign finds', () => {
  for (const [sentence, defect] of Object.entries(defects)) {
    test(sentence, async () => {
      const script = breakService(defect);
      const { faults } = await runCampaign({
        seed: 1,
        durationMs: 60_000,
        roundMs: 4000,
        endsAtFault: true,
        script,
      });
      assert.notDeepEqual(faults, []);
    });
  }
});
