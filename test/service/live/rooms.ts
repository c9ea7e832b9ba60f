// Rooms that these suites make by hand, and the events that their readers must get.
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toEpoch } from '../../../lib/room/cursor.ts';
import { toFileStem } from '../../../lib/room/name.ts';
import type { LiveEvent, LiveStream } from '../../support/sse.ts';

/** A line as an event carries it. */
export interface LineEvent {
  id: string;
  data: string;
}

/** The path of a room's file. */
export function toFile(store: string, room: string): string {
  return join(store, `${toFileStem(room)}.txt`);
}

/** Appends to a room's file, as `echo >>` does. */
export function appendByHand(store: string, room: string, text: string): void {
  appendFileSync(toFile(store, room), text);
}

/** Makes lines that all differ. */
export function makeLines(count: number, prefix = 'line', lengthChars = 20): string {
  const pad = '.'.repeat(Math.max(0, lengthChars - prefix.length - 8));
  return Array.from({ length: count }, (_, n) => `${prefix} ${n} ${pad}\n`).join('');
}

/** The events of all complete lines after an offset of a room's text. */
export function toLineEvents(text: Buffer, from = 0): LineEvent[] {
  const epoch = toEpoch(text);
  const events: LineEvent[] = [];
  for (let start = from; ; ) {
    const end = text.indexOf(0x0a, start);
    if (end === -1) return events;
    events.push({ id: `${epoch}-${end + 1}`, data: text.toString('utf8', start, end) });
    start = end + 1;
  }
}

/** The events of all complete lines after an offset of a room's file. */
export function readLineEvents(store: string, room: string, from = 0): LineEvent[] {
  return toLineEvents(readFileSync(toFile(store, room)), from);
}

/** The lines among some events, each with the cursor that its own event carried. */
export function pickLines(events: readonly LiveEvent[]): LineEvent[] {
  const messages = events.filter(({ type }) => type === 'message');
  return messages.map(({ lastEventId, data, hasId }) => ({ id: hasId ? lastEventId : '', data }));
}

/** The types of a stream's events in order, without pings. Lines in a row count once. */
export function pickKinds(stream: LiveStream): string[] {
  const kinds = stream.events.map(({ type }) => type).filter((type) => type !== 'ping');
  return kinds.filter((kind, index) => kind !== 'message' || kinds[index - 1] !== 'message');
}
