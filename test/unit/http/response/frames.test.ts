// Frames: events and text with their chunks' sizes (HTML Standard §9.2, RFC 9112 §7.1).
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { toEventFormat, toEvents, toTextFormat } from '../../../../lib/http/response/frames.ts';

const epoch = '0123abcd';

/** Reads chunks as RFC 9112 §7.1 has them; fails on what is not whole. */
function unchunk(frame: Buffer): Buffer {
  const bodies: Buffer[] = [];
  for (let at = 0; at < frame.length; ) {
    const lineEnd = frame.indexOf('\r\n', at);
    const size = frame.toString('latin1', at, lineEnd);
    assert.match(size, /^[1-9a-f][0-9a-f]*$/, 'a size in hex, never the 0 that ends a body');
    const end = lineEnd + 2 + Number.parseInt(size, 16);
    bodies.push(frame.subarray(lineEnd + 2, end));
    assert.equal(frame.toString('latin1', end, end + 2), '\r\n');
    at = end + 2;
  }
  return Buffer.concat(bodies);
}

interface SeenEvent {
  id: string;
  data: string;
}

/** Reads events as the HTML Standard says (§9.2.6), in latin1 so that every byte is seen. */
function readEvents(bytes: Buffer): SeenEvent[] {
  const events: SeenEvent[] = [];
  let [id, data] = ['', [] as string[]];
  for (const line of bytes.toString('latin1').split(/\r\n|\n|\r/)) {
    if (line === '') {
      if (data.length > 0) events.push({ id, data: data.join('\n') });
      data = [];
      continue;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === 'id') id = value!;
    else if (name === 'data') data.push(value!);
    else assert.fail(`a field that nobody sent: ${JSON.stringify(line)}`);
  }
  assert.deepEqual(data, [], 'the last event is whole');
  return events;
}

function toEventTexts(text: Buffer | string, offset = 0): SeenEvent[] {
  return readEvents(unchunk(toEventFormat(true).frameLines(Buffer.from(text), offset, epoch)));
}

suite('lines as events', () => {
  test('have the cursor after each line as id, and the line without LF as data', () => {
    assert.deepEqual(toEventTexts('one\ntwo\n', 100), [
      { id: '0123abcd-104', data: 'one' },
      { id: '0123abcd-108', data: 'two' },
    ]);
  });

  const fffd = Buffer.from('\ufffd').toString('latin1');

  test('of any 20,000 texts read back line by line, each id the true offset', () => {
    const byte = fc.oneof(fc.constantFrom(0x0a, 0x0d, 0x3a, 0x20), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), fc.nat({ max: 1e9 }), (bytes, offset) => {
        const text = Buffer.from([...bytes, 0x0a]);
        const events = toEventTexts(text, offset);
        const lines = text.toString('latin1').split('\n').slice(0, -1);
        const datas = lines.map((line) => line.replace(/\r$/, '').replaceAll('\r', fffd));
        assert.deepEqual(
          events.map(({ data }) => data),
          datas,
        );
        for (const [index, { id }] of events.entries()) {
          const before = lines.slice(0, index + 1).join('\n').length + 1;
          assert.equal(id, `${epoch}-${offset + before}`);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

suite('a frame', () => {
  test('without chunks is the same bytes without sizes', () => {
    const text = Buffer.from('one\r\ntwo \u05e9\n');
    const bare = toEventFormat(false).frameLines(text, 5, epoch);
    assert.deepEqual(unchunk(toEventFormat(true).frameLines(text, 5, epoch)), bare);
    assert.deepEqual(toTextFormat(false).frameLines(text, 5, epoch), text);
    assert.deepEqual(unchunk(toTextFormat(true).frameLines(text, 5, epoch)), text);
  });

  test('of text has every byte as it is', () => {
    const text = Buffer.from([0xff, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x0a]);
    assert.deepEqual(unchunk(toTextFormat(true).frameLines(text, 0, epoch)), text);
  });

  test('of reset and ping carries data, or a browser would drop it, and no id', () => {
    for (const isChunked of [true, false]) {
      const { reset, ping } = toEventFormat(isChunked);
      const read = (frame: Buffer | undefined) => (isChunked ? unchunk(frame!) : frame!).toString();
      assert.match(read(reset), /^event: reset\ndata: ?\S+\n\n$/);
      assert.match(read(ping), /^event: ping\ndata: ?\S+\n\n$/);
    }
  });

  test('of text has no word for a reset or a ping', () => {
    for (const { reset, ping } of [toTextFormat(true), toTextFormat(false)]) {
      assert.equal(reset, undefined);
      assert.equal(ping, undefined);
    }
  });

  test('of ready-made events is them', () => {
    assert.equal(toEvents('data: \u05e9\n\n', false).toString(), 'data: \u05e9\n\n');
    assert.equal(toEvents('data: \u05e9\n\n', true).toString(), 'a\r\ndata: \u05e9\n\n\r\n');
  });

  test('is shared: one format for all readers of a kind', () => {
    assert.equal(toEventFormat(true), toEventFormat(true));
    assert.notEqual(toEventFormat(true), toEventFormat(false));
    assert.equal(toTextFormat(false), toTextFormat(false));
  });
});
