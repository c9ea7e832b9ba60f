// Any text that is sent as a cursor is answered with 400 or with a correct stream.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { toEpoch } from '../../../lib/room/cursor.ts';
import { get } from '../../support/http.ts';
import { startServer, withDeadline } from '../../support/server.ts';
import { EventParser, type LiveEvent } from '../../support/sse.ts';
import { makeLines, pickLines, toFile, toLineEvents } from './rooms.ts';

const cursorCount = 10_000;
const clientCount = 16;

const text = makeLines(4);
const bytes = Buffer.from(text);
const epoch = toEpoch(bytes);
const offsets = [0, ...toLineEvents(bytes).map(({ id }) => Number(id.slice(9)))];

/** Texts that resemble a cursor: good ones, stale ones, and malformed ones. */
const cursor = fc
  .tuple(
    fc.constantFrom(epoch, '00000000', '12345678', epoch.toUpperCase(), epoch.slice(1), ''),
    fc.constantFrom('-', '-', '-', '', '--', ' ', '–', ':'),
    fc.oneof(
      fc.constantFrom(...offsets.map(String)),
      fc.integer({ min: -5, max: 200 }).map(String),
      fc.bigInt({ min: 0n, max: 1n << 70n }).map(String),
      fc.double().map(String),
      fc.constantFrom('', '00', '0x10', '1e1', '٣', '+1', '1_0', '0.0', 'NaN', 'now', 'null'),
    ),
  )
  .map((parts) => parts.join(''));
const broken = fc
  .tuple(cursor, fc.nat(20), fc.nat(3), fc.string({ unit: 'binary', maxLength: 3 }))
  .map(([whole, at, cut, put]) => whole.slice(0, at) + put + whole.slice(at + cut));
const anything = fc.string({ unit: 'binary', maxLength: 30 });
const anyCursor = fc.oneof(cursor, broken, anything);

/** What must become of a cursor: a start at an offset, a reset, or a refusal. */
function judge(asked: string): number | 'reset' | 'refused' {
  if (asked === '') return 0;
  if (asked === 'now') return bytes.length;
  const match = /^(?:([0-9a-f]{8})-)?([0-9]+)$/.exec(asked);
  if (!match || (match[2]!.length > 1 && match[2]!.startsWith('0'))) return 'refused';
  const offset = BigInt(match[2]!);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) return 'refused';
  if (offset === 0n) return 0;
  const isEpoch = match[1] === undefined || match[1] === epoch;
  return isEpoch && offsets.includes(Number(offset)) ? Number(offset) : 'reset';
}

test('each of 10,000 cursors, sent as since or Last-Event-ID, is refused, reset or resumed', async (t) => {
  const server = await startServer();
  writeFileSync(toFile(server.store, 'room'), text);
  const asked = fc.sample(anyCursor, { numRuns: cursorCount, seed: 6 });
  const counts = { refused: 0, reset: 0, good: 0 };
  const agents = Array.from({ length: clientCount }, () => new Agent({ keepAlive: true }));
  const next = asked.entries();
  const work = agents.map(async (agent) => {
    for (const [index, sent] of next) {
      // Other characters can't be in a header field.
      const isHeader = index % 2 === 1 && /^[\x21-\x7e]+$/.test(sent);
      const path = isHeader
        ? '/chat/room?since=0'
        : `/chat/room?since=${encodeURIComponent(sent.toWellFormed())}`;
      const field = isHeader ? { 'last-event-id': sent } : {};
      const { status, events } = await ask(server.port, path, field, agent);
      const want = judge(isHeader ? sent : sent.toWellFormed());
      const name = JSON.stringify(sent);
      if (want === 'refused') {
        counts.refused += 1;
        assert.equal(status, 400, name);
        continue;
      }
      const from = want === 'reset' ? 0 : want;
      counts[want === 'reset' ? 'reset' : 'good'] += 1;
      assert.equal(status, 200, name);
      assert.equal(events[0]?.type, 'server', name);
      assert.equal(events[0]?.lastEventId, `${epoch}-${from}`, name);
      assert.equal(events[1]?.type === 'reset', want === 'reset', name);
      assert.deepEqual(pickLines(events), toLineEvents(bytes, from), name);
    }
  });
  await withDeadline(Promise.all(work), 120_000, () => JSON.stringify(counts));
  for (const agent of agents) agent.destroy();
  t.diagnostic(JSON.stringify(counts));
  assert.ok(Math.min(counts.refused, counts.reset, counts.good) > 100, JSON.stringify(counts));
  assert.equal(readFileSync(toFile(server.store, 'room'), 'utf8'), text);
  assert.equal((await get(server, '/-/ready')).status, 200);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(server.stderr, []);
});

/** Reads a refusal to its end, and a stream to the end of the room. */
function ask(port: number, path: string, fields: Record<string, string>, agent: Agent) {
  const events: LiveEvent[] = [];
  return new Promise<{ status: number; events: LiveEvent[] }>((resolve, reject) => {
    const headers = { accept: 'text/event-stream', ...fields };
    const outgoing = request({ host: '127.0.0.1', port, path, headers, agent }, (incoming) => {
      const status = incoming.statusCode ?? 0;
      const finish = () => resolve({ status, events });
      const parser = new EventParser((event) => {
        events.push(event);
        if (!event.lastEventId.endsWith(`-${bytes.length}`)) return;
        finish();
        outgoing.destroy();
      });
      incoming.on('data', (chunk: Buffer) => status === 200 && parser.push(chunk));
      incoming.on('end', finish);
      incoming.on('error', () => {});
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
