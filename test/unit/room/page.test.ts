// The page's rules of names, messages and rooms (static/model) are the server's.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { toEntry } from '../../../lib/room/message.ts';
import { findRoomFault } from '../../../lib/room/name.ts';
import { projectFolder } from '../../support/paths.ts';
import { listCharacters, show, vectors } from './vectors.ts';

interface PageRules {
  MESSAGE_LIMIT: number;
  cleanMessage(message: string): string;
  cleanName(name: string): string;
  countCharacters(message: string): number;
  faultOfName(name: string): string;
  isBlank(text: string): boolean;
}

const toUrl = (file: string) => pathToFileURL(join(projectFolder, 'static/model', file)).href;
const page: PageRules = await import(toUrl('line.js'));
// It reads its own room from the address.
Object.assign(globalThis, { location: { pathname: '/room' } });
const { checkRoomName } = await import(toUrl('room.js'));

/** What the page stores for a name and for a message; `undefined` for one that it refuses. */
function cleanOnPage(name: string, message: string): (string | undefined)[] {
  const isLong = page.countCharacters(message) > page.MESSAGE_LIMIT;
  return [
    page.faultOfName(name) === '' ? page.cleanName(name) : undefined,
    page.isBlank(message) || isLong ? undefined : page.cleanMessage(message),
  ];
}

/** What the server stores for them, as a form sends them: without half surrogate pairs. */
function cleanOnServer(name: string, message: string): (string | undefined)[] {
  return [
    toEntry(name.toWellFormed(), 'm').entry?.username,
    toEntry('a', message.toWellFormed()).entry?.message,
  ];
}

function compare(name: string, message: string): void {
  const [shown, stored] = [cleanOnPage(name, message), cleanOnServer(name, message)];
  if (shown[0] === stored[0] && shown[1] === stored[1]) return;
  assert.deepEqual(shown, stored, `${show(name)} and ${show(message)}`);
}

suite('the page takes, cleans and refuses what the server does:', () => {
  for (const { username, message } of vectors.lines) {
    test(`the name ${show(username)} and the message ${show(message)}`, () => {
      compare(username ?? '', message ?? '');
    });
  }

  test('10,000 random names and messages', () => {
    const special =
      'ab:: \r\n\t\u0000\u0085\u2028\u21b5\u200b\u3164\u2800\ufeff\u00ad\u3000\ud83d\udc4d';
    const unit = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...special.split('')) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
    );
    const text = fc.string({ unit, maxLength: 70 });
    fc.assert(fc.property(text, text, compare), { numRuns: 10_000 });
  });

  test('names and messages that are just as long as they may be, and one longer', () => {
    for (const letter of ['m', '\u{1f98a}', '\u200b', '\n', '\r\n']) {
      for (const length of [63, 64, 3999, 4000]) {
        compare(`${letter.repeat(length)}x`, `${letter.repeat(length)}x`);
        compare(`x${letter.repeat(length)}`, `x${letter.repeat(length)}`);
      }
    }
  });

  test('each single character', () => {
    for (const character of listCharacters()) compare(character, character);
    for (let code = 0xd800; code < 0xe000; code += 1) compare(String.fromCharCode(code), 'm');
  });

  for (const { room } of [...vectors.rooms, ...vectors.badRooms]) {
    // The page takes an empty one for `general`.
    if (room === '') continue;
    test(`the room ${show(room)}`, () => {
      assert.equal(checkRoomName(room) === '', findRoomFault(room) === undefined);
    });
  }

  test('a room name of a megabyte, without standing still', () => {
    assert.match(checkRoomName('\u5b57'.repeat(1 << 20)), /too long by 1048550 letters/);
  });
});
