// Readers that are cut off at any moment and resume on another server, and a record of what they got.
import { request } from 'node:http';
import type { Server } from '../../support/server.ts';
import { pause } from '../../support/server.ts';
import { type LiveEvent, openLive } from '../../support/sse.ts';
import { type LineEvent, toLineEvents } from './rooms.ts';

/** How a reader reads. */
export interface TrackOptions {
  /** Each stream is opened on the next of these. */
  servers: readonly Pick<Server, 'port'>[];
  room: string;
  /** The query of every stream: an EventSource keeps its address. */
  query?: string;
  lastEventId?: string;
  /** Returns how long the next stream lives; without it, streams are not cut. */
  toLifeMs?: () => number;
}

/** What a reader got. */
export interface Track {
  /** The offset at which its first stream began; -1 before that. */
  from(): number;
  /** How many streams it opened. */
  openedCount(): number;
  /** Whether it has all of the room. */
  isAtEnd(file: Buffer): boolean;
  /** Returns a sentence for each fault in what it got. */
  findFaults(file: Buffer): string[];
  stop(): void;
}

/** Reads events, and resumes at the last id when it is cut off. */
export function trackEvents(options: TrackOptions): Track {
  const { servers, room, query } = options;
  const lines: LineEvent[] = [];
  const faults: string[] = [];
  let from = -1;
  let opened = 0;
  let lastEventId = options.lastEventId ?? '';
  let isOver = false;
  let close = () => {};

  const take = (event: LiveEvent): void => {
    if (event.type === 'reset') faults.push(`a reset at ${lastEventId}`);
    if (event.type === 'server') {
      if (lastEventId !== '' && event.lastEventId !== lastEventId) {
        faults.push(`a stream began at ${event.lastEventId} instead of ${lastEventId}`);
      }
      if (from === -1) from = toOffset(event.lastEventId);
    }
    if (event.type === 'message') {
      lines.push({ id: event.hasId ? event.lastEventId : '', data: event.data });
    }
    lastEventId = event.lastEventId;
  };
  const run = async (): Promise<void> => {
    const path = `/chat/${encodeURIComponent(room)}${query === undefined ? '' : `?${query}`}`;
    while (!isOver) {
      const server = servers[opened++ % servers.length]!;
      const stream = await openLive(server, room, { path, lastEventId, onEvent: take });
      close = stream.close;
      if (isOver) close();
      else if (options.toLifeMs) setTimeout(close, options.toLifeMs());
      if ((await stream.ended) !== 'closed') faults.push('a stream ended by itself');
    }
  };
  run().catch((error: Error) => faults.push(error.message));
  return {
    from: () => from,
    openedCount: () => opened,
    isAtEnd: (file) => from !== -1 && toOffset(lastEventId) === file.length,
    findFaults: (file) => [...faults, ...compare(lines, toLineEvents(file, from))],
    stop: () => {
      isOver = true;
      close();
    },
  };
}

/** Reads text, and resumes after the last complete line when it is cut off. */
export function trackText(options: TrackOptions): Track {
  const { servers, room, query } = options;
  const faults: string[] = [];
  let bytes = Buffer.alloc(0);
  let from = -1;
  let opened = 0;
  let isOver = false;
  let close = () => {};

  const readOnce = (path: string) =>
    new Promise<void>((resolve) => {
      const { port } = servers[opened++ % servers.length]!;
      const outgoing = request({ host: '127.0.0.1', port, path, agent: false }, (incoming) => {
        if (incoming.statusCode !== 200)
          faults.push(`a stream was answered ${incoming.statusCode}`);
        if (from === -1) from = toOffset(String(incoming.headers['chat-cursor']));
        incoming.on('data', (chunk: Buffer) => {
          bytes = Buffer.concat([bytes, chunk]);
        });
        incoming.on('end', () => faults.push('a stream ended by itself'));
        incoming.on('error', () => {});
      });
      outgoing.on('error', () => {});
      outgoing.on('close', resolve);
      close = () => outgoing.destroy();
      if (options.toLifeMs) setTimeout(close, options.toLifeMs());
      outgoing.end();
    });
  const run = async (): Promise<void> => {
    const address = `/chat/${encodeURIComponent(room)}?follow`;
    while (!isOver) {
      bytes = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
      const since = from === -1 ? query : `since=${from + bytes.length}`;
      await readOnce(since === undefined ? address : `${address}&${since}`);
      await pause(1);
    }
  };
  run().catch((error: Error) => faults.push(error.message));
  return {
    from: () => from,
    openedCount: () => opened,
    isAtEnd: (file) => from !== -1 && from + bytes.length >= file.length,
    findFaults: (file) =>
      bytes.equals(file.subarray(from)) ? faults : [...faults, 'the text is not the file’s'],
    stop: () => {
      isOver = true;
      close();
    },
  };
}

function toOffset(cursor: string): number {
  return Number(cursor.slice(cursor.indexOf('-') + 1));
}

/** Returns the first difference between the lines that came and those that had to come. */
function compare(lines: LineEvent[], expected: LineEvent[]): string[] {
  const at = lines.findIndex(
    ({ id, data }, index) => id !== expected[index]?.id || data !== expected[index]?.data,
  );
  const faults =
    lines.length === expected.length ? [] : [`${lines.length} lines, not ${expected.length}`];
  if (at === -1) return faults;
  return [...faults, `line ${at}: ${show(lines[at])} instead of ${show(expected[at])}`];
}

function show(line: LineEvent | undefined): string {
  return JSON.stringify(line);
}
