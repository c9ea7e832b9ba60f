// Media types and preferences (RFC 9110 §8.3.1, §12.4, §12.5).
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  parseMediaType,
  parseWeights,
  pickCoding,
  prefers,
} from '../../../../lib/http/request/negotiate.ts';

suite('a media type', () => {
  const types: Record<string, [type: string, parameters: [string, string][]]> = {
    'text/plain': ['text/plain', []],
    ' \tText/PLAIN \t': ['text/plain', []],
    'text/plain;charset=UTF-8': ['text/plain', [['charset', 'UTF-8']]],
    'multipart/form-data; boundary=----WebKitFormBoundaryA1': [
      'multipart/form-data',
      [['boundary', '----WebKitFormBoundaryA1']],
    ],
    'multipart/form-data; boundary="a b; c=d, \\"e\\" \\\\"': [
      'multipart/form-data',
      [['boundary', 'a b; c=d, "e" \\']],
    ],
    'multipart/form-data; boundary=""': ['multipart/form-data', [['boundary', '']]],
    'a/b;x=1;X=2;y=3': [
      'a/b',
      [
        ['x', '1'],
        ['y', '3'],
      ],
    ],
    'a/b;': ['a/b', []],
    'a/b; ;; x=1 ;': ['a/b', [['x', '1']]],
    'application/vnd.a+b;x=1': ['application/vnd.a+b', [['x', '1']]],
  };
  for (const [field, [type, parameters]] of Object.entries(types)) {
    test(`${JSON.stringify(field)} is read`, () => {
      const media = parseMediaType(field);
      assert.equal(media?.type, type);
      assert.deepEqual([...media.parameters], parameters);
    });
  }

  const malformed = [
    ...['', 'text', 'text/', '/plain', 'te xt/plain', 'text/plain/x', 'text/plain, a/b'],
    ...['text/plain; charset = utf-8', 'a/b;x="1', 'a/b;x="1"2', 'a/b;x=1 2', 'a/b;=1', 'a/b x'],
  ];
  for (const field of malformed) {
    test(`${JSON.stringify(field)} is malformed`, () =>
      assert.equal(parseMediaType(field), undefined));
  }

  test('is read in linear time, however many quotes and backslashes it has', () => {
    assert.equal(parseMediaType(`a/b;x="${'\\'.repeat(50_001)}`), undefined);
    assert.equal(parseMediaType(`a/b${'; '.repeat(50_000)}!x`), undefined);
  });
});

suite('weights', () => {
  test('are 1 unless told, between 0 and 1, and 0 where they are malformed', () => {
    const field =
      'a, b;q=0.5, c ; Q=0.125 ,d;q=0,e;q=1.000,f;q=2,g;q=-1,h;q=.5,i;q=0.1234,j;q=x,k;x=1;q=0.3,l;q=1.5,,;q=1';
    assert.deepEqual(Object.fromEntries(parseWeights(field)), {
      a: 1,
      b: 0.5,
      c: 0.125,
      d: 0,
      e: 1,
      f: 0,
      g: 0,
      h: 0,
      i: 0,
      j: 0,
      k: 0.3,
      l: 1,
    });
  });
});

suite('a plain form is submitted', () => {
  const fields: [accept: string | undefined, isPage: boolean][] = [
    ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8', true],
    ['text/html', true],
    ['TEXT/HTML;q=0.1', true],
    ['text/html, text/plain;q=0.9', true],
    ['text/html;q=0.8, text/*;q=0.5', true],
    ['text/plain;q=0, text/*', false],
    ['text/html, text/plain, text/sgml, */*;q=0.01', true],
    ['text/html, */*', true],
    ['text/html;q=0.9, */*', false],
    ['text/plain, text/html;q=0.9', false],
    ['text/html;q=0', false],
    ['text/*', false],
    ['*/*', false],
    ['application/json', false],
    ['', false],
    [undefined, false],
  ];
  for (const [accept, isPage] of fields) {
    test(`${isPage ? 'by' : 'not by'} Accept ${accept}`, () =>
      assert.equal(prefers(accept, 'text/html'), isPage));
  }
});

suite('events are asked for', () => {
  const fields: [accept: string | undefined, isAsked: boolean][] = [
    ['text/event-stream', true],
    ['Text/Event-Stream; charset=utf-8', true],
    ['text/event-stream, text/plain;q=0.5', true],
    ['text/event-stream, */*', true],
    ['text/plain, text/event-stream;q=0.1', false],
    ['text/event-stream;q=0', false],
    ['text/event-streams', false],
    ['x/y; z=text/event-stream', false],
    ['text/*', false],
    ['*/*', false],
    ['', false],
    [undefined, false],
  ];
  for (const [accept, isAsked] of fields) {
    test(`${isAsked ? 'by' : 'not by'} Accept ${accept}`, () =>
      assert.equal(prefers(accept, 'text/event-stream'), isAsked));
  }
});

suite('of Brotli and gzip', () => {
  const fields: [accept: string | undefined, coding: string | undefined][] = [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0.5, gzip;q=0.5', 'br'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['gzip;q=0.5, *;q=0.1', 'gzip'],
    ['*;q=0', undefined],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip', 'gzip'],
    ['identity, gzip', 'gzip'],
    ['identity;q=0, br', 'br'],
    ['x-gzip', undefined],
    ['', undefined],
    [undefined, undefined],
  ];
  for (const [accept, coding] of fields) {
    test(`Accept-Encoding ${accept} takes ${coding ?? 'none'}`, () => {
      assert.equal(pickCoding(accept, ['br', 'gzip']), coding);
    });
  }

  test('none is taken where there is none', () =>
    assert.equal(pickCoding('gzip, *', []), undefined));
});
