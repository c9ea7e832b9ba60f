// Counting and cleaning of characters.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { cleanControls, countCodePoints, hasControl } from '../../../lib/room/text.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 40 });

suite('counting', () => {
  test('counts code points: a pair of surrogates is one, and so is a lone surrogate', () => {
    assert.equal(countCodePoints('', 5), 0);
    assert.equal(countCodePoints('a\u{1f98a}b', 5), 3);
    assert.equal(countCodePoints('\ud83d\ud83d\udc4d', 5), 2);
    assert.equal(countCodePoints('e\u0301', 5), 2, 'a combining mark is a character of its own');
  });

  test('gives the exact count up to the limit, and limit + 1 for more', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 30 }), (text, limit) => {
        const exact = [...text].length;
        assert.equal(countCodePoints(text, limit), Math.min(exact, limit + 1));
      }),
      { numRuns: 20_000 },
    );
  });
});

suite('controls', () => {
  test('C0 but tab, DEL, C1, U+2028 and U+2029 become U+FFFD, and no other character changes', () => {
    for (let code = 0; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      const isCleaned =
        (code < 0x20 && code !== 9) ||
        (code >= 0x7f && code <= 0x9f) ||
        code === 0x2028 ||
        code === 0x2029;
      const cleaned = cleanControls(character);
      if (cleaned !== (isCleaned ? '\ufffd' : character)) assert.fail(`U+${code.toString(16)}`);
    }
  });

  test('are replaced one by one, and cleaning twice changes nothing more', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const cleaned = cleanControls(text);
        assert.equal([...cleaned].length, [...text].length);
        assert.equal(cleanControls(cleaned), cleaned);
        assert.ok(!hasControl(cleaned.replaceAll('\t', '')));
      }),
      { numRuns: 20_000 },
    );
  });

  test('of category Cc are found anywhere in a text', () => {
    fc.assert(
      fc.property(anyText, (text) => assert.equal(hasControl(text), /\p{Cc}/u.test(text))),
      { numRuns: 20_000 },
    );
  });
});
