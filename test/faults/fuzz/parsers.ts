// What must hold for every input of the parsers, as loops that never end by themselves.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { ServiceError } from '../../../lib/errors.ts';
import { evaluate, parseRange } from '../../../lib/http/request/conditional.ts';
import { parseJson } from '../../../lib/http/request/json.ts';
import { parseMultipart } from '../../../lib/http/request/multipart.ts';
import { parseMediaType, pickCoding, prefers } from '../../../lib/http/request/negotiate.ts';
import { parseUrlencoded } from '../../../lib/http/request/urlencoded.ts';
import { toEventFormat } from '../../../lib/http/response/frames.ts';
import { findTarget, toPagePath } from '../../../lib/http/router.ts';
import { formatCursor, parseCursor } from '../../../lib/room/cursor.ts';
import { formatLine, formatTime, parseLine, toEntry } from '../../../lib/room/message.ts';
import { findRoomFault, fromFileStem, toFileStem } from '../../../lib/room/name.ts';
import { EventParser } from '../../support/sse.ts';
import type { Random } from '../crash/random.ts';
import { damage, makeText } from './texts.ts';

/** One property: makes an input, judges what comes of it, and throws where that is wrong. */
export type Property = (random: Random) => void;

const boundary = 'b0undary';

/** The properties by what they are about. */
export const properties: Record<string, Property> = {
  'a urlencoded form is what URLSearchParams makes of it, or refused': (random) => {
    const text = makeText(random, 30).toWellFormed();
    const fields = orRefused(() => parseUrlencoded(Buffer.from(text)));
    const ascii = text.replace(/[^\0-\x7f]+/g, encodeURIComponent);
    const unescaped = ascii.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    // Separators are ASCII, so all names and values are UTF-8 if the whole is.
    const isText = isUtf8(Buffer.from(unescaped, 'latin1'));
    // Node's own decodes a broken escape beside characters above ASCII otherwise than the standard
    // (they lose their upper bits), so it is given those escaped.
    const wanted = isText ? [...new URLSearchParams(ascii)] : undefined;
    assert.deepEqual(fields, wanted, JSON.stringify(text));
  },

  'bytes that are no form are a form all the same, or refused': (random) => {
    const bytes = damage(random, Buffer.from(makeText(random, 20)));
    for (const [name, value] of orRefused(() => parseUrlencoded(bytes)) ?? []) {
      assert.ok(name.isWellFormed() && value.isWellFormed());
    }
  },

  'a JSON object reads back, and a damaged one is refused or read': (random) => {
    const form: Record<string, string> = {};
    for (const name of ['username', 'message', 'msg', makeText(random, 3)]) {
      if (random.chance(0.5)) form[name] = makeText(random, 8);
    }
    const body = Buffer.from(JSON.stringify(form));
    const own = Object.entries(form).filter(([name]) => /^(username|message|msg)$/.test(name));
    assert.deepEqual(parseJson(body), own);
    for (const [name, value] of orRefused(() => parseJson(damage(random, body))) ?? []) {
      assert.ok(/^(username|message|msg)$/.test(name) && typeof value === 'string');
    }
  },

  'a multipart form reads back, and a damaged one is refused or read': (random) => {
    const fields: [string, string][] = [];
    for (let n = random.below(4); n > 0; n -= 1) {
      const name = makeText(random, 4).replace(/[\r\n"\\\0]|[^\x20-\x7e]/g, '');
      fields.push([name, makeText(random, 8).toWellFormed()]);
    }
    const body = Buffer.from(
      `${fields
        .map(([name, value]) => {
          const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`;
          return `${head}\r\n\r\n${value}\r\n`;
        })
        .join('')}--${boundary}--\r\n`,
    );
    assert.deepEqual(parseMultipart(body, boundary), fields);
    const damaged = damage(random, body);
    const given = orRefused(() => parseMultipart(damaged, boundary));
    const size = (given ?? []).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    assert.ok(size <= damaged.length + 2);
  },

  'a target leads to a good room or to a refusal': (random) => {
    const start = random.pick([
      '/chat/',
      '/api/chat/',
      '/',
      '/static/',
      '/-/',
      'http://h/chat/',
      '',
    ]);
    // Node gives a target as Latin-1.
    const path = Buffer.from(makeText(random, 6)).toString('latin1');
    const target = findTarget(start + path);
    if (target === undefined || target.fault !== undefined) return;
    if (target.route === 'page-redirect') assert.match(target.argument, /^\/[^/\\]/);
    if (target.route === 'room' || target.route === 'page') judgeRoom(target.argument);
  },

  'a room has one file name, in the folder, and that name this room': (random) => {
    const room = makeText(random, 8);
    if (findRoomFault(room) !== undefined) return;
    judgeRoom(room);
    assert.equal(findTarget(toPagePath(room))?.argument, room);
  },

  'a file name is a room only as the room writes it': (random) => {
    const stem = makeText(random, 5);
    const room = fromFileStem(stem);
    if (room !== undefined) assert.equal(toFileStem(room), stem);
  },

  'a message is one line that reads back': (random) => {
    const { entry, fault } = toEntry(makeText(random, 4), makeText(random, 30));
    if (entry === undefined) {
      assert.match(fault!, /^(username|message) /);
      return;
    }
    const line = formatLine(formatTime(random.below(2 ** 31) * 1000), entry);
    assert.match(line, /^[^\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]+\n$/);
    const { username, message } = parseLine(line)!;
    assert.deepEqual({ username, message }, entry);
    for (const text of [username, message]) {
      assert.match(text, /[^\s\u2800\p{Cf}\p{Default_Ignorable_Code_Point}]/u);
      assert.ok(text.isWellFormed());
    }
  },

  'a range lies in the text': (random) => {
    const size = random.pick([0, 1, 2, 100, 2 ** 40]);
    const number = (): string => random.pick(['', '0', '1', '99', '100', makeText(random, 2)]);
    const field = `bytes=${number()}-${number()}${random.chance(0.2) ? makeText(random, 3) : ''}`;
    const range = parseRange(random.chance(0.1) ? makeText(random) : field, size);
    if (range === undefined || range === 'unsatisfiable') return;
    assert.ok(0 <= range.from && range.from < range.to && range.to <= size, field);
  },

  'a cursor reads back': (random) => {
    const epoch = random.chance(0.5) ? '0123abcd-' : '';
    const text = random.chance(0.5) ? makeText(random, 3) : `${epoch}${random.below(2 ** 52)}`;
    const cursor = parseCursor(text);
    if (cursor === undefined) return;
    assert.ok(Number.isSafeInteger(cursor.offset) && cursor.offset >= 0);
    const again =
      cursor.epoch === undefined ? `${cursor.offset}` : formatCursor(cursor.epoch, cursor.offset);
    assert.equal(again, text);
  },

  'a header field of any text is an answer': (random) => {
    const text = makeText(random, 20);
    parseMediaType(text);
    parseMediaType(`a/b; ${text}`);
    prefers(`text/html, ${text}`, 'text/html');
    assert.ok([undefined, 'br', 'gzip'].includes(pickCoding(text, ['br', 'gzip'])));
    const tag = '"abc"';
    const verdict = evaluate({ 'if-match': text, 'if-none-match': makeText(random) }, tag);
    assert.ok(['proceed', 'not-modified', 'failed'].includes(verdict));
  },

  'lines of any bytes are one event each, with the offset after it': (random) => {
    const text = Buffer.from(
      `${makeText(random, 20).replace(/\0/g, '')}\n${makeText(random, 5)}\n`,
    );
    const ids: string[] = [];
    const parser = new EventParser(({ type, lastEventId }) => {
      assert.equal(type, 'message');
      ids.push(lastEventId);
    });
    parser.push(toEventFormat(false).frameLines(text, 100, '0123abcd'));
    const wanted: string[] = [];
    for (let at = 0; at < text.length; ) {
      at = text.indexOf(10, at) + 1;
      wanted.push(formatCursor('0123abcd', 100 + at));
    }
    assert.deepEqual(ids, wanted, JSON.stringify(text.toString()));
  },
};

function judgeRoom(room: string): void {
  assert.equal(findRoomFault(room), undefined);
  const stem = toFileStem(room);
  assert.match(stem, /^(?:[a-z0-9_-]|%[0-9A-F]{2})(?:[a-z0-9_.-]|%[0-9A-F]{2})*$/);
  assert.ok(stem.length <= 240);
  assert.equal(fromFileStem(stem), room);
  assert.equal(join('/rooms', `${stem}.txt`), `/rooms/${stem}.txt`);
}

function orRefused<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, 'bad-request');
    return undefined;
  }
}
