// Conditional requests and ranges (RFC 9110 §13 and §14).
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  allowsRange,
  evaluate,
  matchesTag,
  parseRange,
} from '../../../../lib/http/request/conditional.ts';

const etag = '"abc-1.5"';

suite('a list of entity tags', () => {
  const matching = [
    etag,
    `W/${etag}`,
    `"x", ${etag}`,
    `"x" ,\t${etag} , "y"`,
    `,, ${etag} ,,`,
    ` ${etag}\t`,
    `"a,b", ${etag}`,
    `"", ${etag}`,
    `"W/", ${etag}`,
    `"x",W/${etag}`,
    `"\u00ff\u0080!#~", ${etag}`,
  ];
  for (const list of [...matching, '*', ' *\t']) {
    test(`${list} has the tag in it, weakly`, () => assert.ok(matchesTag(list, etag, 'weak')));
  }

  const others = [
    ...['', ',', '"abc"', 'abc-1.5', `w/${etag}`, `W /${etag}`, `W/ ${etag}`, `*, ${etag}`, '**'],
    ...[`"x" ${etag}`, `"x"${etag}`, `"x", ${etag}, y`, `x, ${etag}`, `"x, ${etag}`, `'${etag}'`],
    ...[`"a b", ${etag}`, `"a\u007fb", ${etag}`, `"x"; ${etag}`, `\u00a0${etag}`],
    ...[`"\\"", ${etag}`],
  ];
  for (const list of others) {
    test(`${JSON.stringify(list)} does not`, () => assert.ok(!matchesTag(list, etag, 'weak')));
  }

  test('has no weak tag for the strong comparison', () => {
    assert.ok(!matchesTag(`W/${etag}`, etag, 'strong'));
    assert.ok(!matchesTag(`"x", W/${etag}`, etag, 'strong'));
    assert.ok(matchesTag(`W/${etag}, ${etag}`, etag, 'strong'));
    assert.ok(matchesTag('*', etag, 'strong'));
  });

  test('of 20,000 kinds has the tag in it just where the grammar says so', () => {
    const tag = fc
      .tuple(fc.constantFrom('', 'W/'), fc.stringMatching(/^[!#-~]{0,4}$/))
      .map(([weak, text]) => `${weak}"${text}"`);
    const separator = fc.constantFrom(',', ', ', ' ,', '\t,,  ,');
    fc.assert(
      fc.property(
        fc.array(tag, { maxLength: 5 }),
        separator,
        fc.boolean(),
        (tags, between, isIn) => {
          const list = isIn ? [...tags, etag] : tags.filter((one) => !one.endsWith(etag));
          assert.equal(matchesTag(list.join(between), etag, 'strong'), isIn);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});

suite('the preconditions', () => {
  const cases: [match: string | undefined, noneMatch: string | undefined, verdict: string][] = [
    [undefined, undefined, 'proceed'],
    [etag, undefined, 'proceed'],
    ['"x"', undefined, 'failed'],
    [`W/${etag}`, undefined, 'failed'],
    ['*', undefined, 'proceed'],
    [undefined, etag, 'not-modified'],
    [undefined, `W/${etag}`, 'not-modified'],
    [undefined, '*', 'not-modified'],
    [undefined, '"x"', 'proceed'],
    ['"x"', etag, 'failed'],
    [etag, etag, 'not-modified'],
    ['', '', 'failed'],
  ];
  for (const [match, noneMatch, verdict] of cases) {
    test(`If-Match ${match}, If-None-Match ${noneMatch}: ${verdict}`, () => {
      assert.equal(evaluate({ 'if-match': match, 'if-none-match': noneMatch }, etag), verdict);
    });
  }
});

suite('If-Range', () => {
  test('lets the range count with the very tag alone', () => {
    assert.ok(allowsRange(undefined, etag));
    assert.ok(allowsRange(etag, etag));
    assert.ok(allowsRange(` ${etag}\t`, etag));
    for (const other of [
      ...['', '*', `W/${etag}`, `${etag}, "x"`, '"x"', 'Sun, 25 Feb 2018 14:00:51 GMT'],
      ...[`\u00a0${etag}`],
    ]) {
      assert.ok(!allowsRange(other, etag), other);
    }
  });
});

suite('a range of 100 bytes', () => {
  const huge = '9'.repeat(5000);
  const parts: [string, from: number, to: number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=0-', 0, 100],
    ['bytes=99-', 99, 100],
    ['bytes=99-99', 99, 100],
    ['bytes=10-19', 10, 20],
    ['bytes=10-1000', 10, 100],
    [`bytes=10-${huge}`, 10, 100],
    ['bytes=-1', 99, 100],
    ['bytes=-100', 0, 100],
    ['bytes=-101', 0, 100],
    [`bytes=-${huge}`, 0, 100],
    ['bytes=0007-0009', 7, 10],
    ['BYTES=0-0', 0, 1],
    ['bytes=,0-0', 0, 1],
    ['bytes=0-0 , ,', 0, 1],
    ['bytes=,\t-1 ', 99, 100],
  ];
  for (const [field, from, to] of parts) {
    test(`${field.slice(0, 30)} is ${from} to ${to}`, () => {
      assert.deepEqual(parseRange(field, 100), { from, to });
    });
  }

  for (const field of [
    ...['bytes=100-', 'bytes=100-200', `bytes=${huge}-`, `bytes=${huge}-${huge}`, 'bytes=-0'],
    ...['bytes=-000'],
  ]) {
    test(`${field.slice(0, 30)} can't be satisfied`, () => {
      assert.equal(parseRange(field, 100), 'unsatisfiable');
    });
  }

  const ignored = [
    ...['', 'bytes', 'bytes=', 'bytes= 0-1', 'bytes =0-1', ' bytes=0-1', 'bytes:0-1'],
    ...['lines=0-1', 'xbytes=0-1', 'bytes=-', 'bytes=--1', 'bytes=1', 'bytes=a-', 'bytes=-a'],
    ...['bytes=0 -1', 'bytes=0- 1', 'bytes=+0-1', 'bytes=0x0-1', 'bytes=1e1-', 'bytes=0.0-1'],
    ...['bytes=5-4', 'bytes=500-200', 'bytes=0-0,1-1', 'bytes=0-0,x'],
    ...['bytes=0-0;q=1', 'bytes=,', 'bytes=\u00a00-0', 'bytes=0-0\u00a0', 'bytes=\u0660-'],
    ...['bytes=\u00b2-', 'bytes=0-0\n'],
  ];
  for (const field of ignored) {
    test(`${JSON.stringify(field.slice(0, 30))} is none`, () => {
      assert.equal(parseRange(field, 100), undefined);
    });
  }
});

suite('a range of no bytes', () => {
  test('can’t be satisfied, but a suffix, whose answer is the whole of nothing', () => {
    for (const field of ['bytes=0-', 'bytes=0-0', 'bytes=-0'])
      assert.equal(parseRange(field, 0), 'unsatisfiable', field);
    assert.equal(parseRange('bytes=-1', 0), undefined);
  });
});

test('any range is inside the text, and the bytes that RFC 9110 §14.1.2 means', () => {
  const number = fc
    .oneof(fc.nat({ max: 300 }), fc.bigInt({ min: 0n, max: 10n ** 30n }))
    .map(String);
  const optional = fc.oneof(fc.constant(''), number);
  fc.assert(
    fc.property(optional, optional, fc.nat({ max: 200 }), (first, last, size) => {
      const range = parseRange(`bytes=${first}-${last}`, size);
      const positions = Array.from({ length: size }, (_, at) => at);
      const isMeant = (at: number) =>
        first === ''
          ? BigInt(size - at) <= BigInt(last || 0)
          : BigInt(at) >= BigInt(first) && (last === '' || BigInt(at) <= BigInt(last));
      const meant = positions.filter(isMeant);
      if (typeof range === 'object') {
        assert.deepEqual([range.from, range.to - 1], [meant[0], meant.at(-1)]);
        assert.equal(range.to - range.from, meant.length);
      } else {
        assert.deepEqual(meant, []);
      }
    }),
    { numRuns: 20_000 },
  );
});
