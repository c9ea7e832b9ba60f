// Judges what clients of a room saw, after the fact: nothing lost, doubled, merged or reordered.

/** A message that a client sent: its `message` is unique in the whole history. */
export interface Sent {
  client: string;
  room: string;
  username: string;
  message: string;
  /** When it was sent and answered, on one clock for the whole history; unanswered: undefined. */
  sentAtMs: number;
  answeredAtMs?: number;
  /** The line that a 201 gave back; undefined when the outcome is unknown. */
  line?: string;
  /** True when the service said that it is not stored (any refusal). */
  isRefused?: boolean;
}

/** A read of a whole room. */
export interface Seen {
  room: string;
  beganAtMs: number;
  text: string;
}

/** What happened, and what the rooms hold in the end. */
export interface History {
  sent: Sent[];
  seen: Seen[];
  rooms: Map<string, string>;
  /** Allows lines that are the stump of a message whose outcome is unknown. */
  allowStumps?: boolean;
}

const shape = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*?): (.*)$/s;

/** Gives every violation as a sentence; an empty list is a history as it must be. */
export function findViolations(history: History): string[] {
  const places = placeLines(history.rooms);
  return [
    ...findStrangeLines(history),
    ...findLostOrDoubled(history, places),
    ...findReordered(history, places),
    ...findStaleReads(history, places),
  ];
}

interface Subscriber {
  count: number;
  index: number;
}

/** Room and message → how often and where the message stands. */
function placeLines(rooms: Map<string, string>): Map<string, Subscriber> {
  const places = new Map<string, Subscriber>();
  for (const [room, text] of rooms) {
    for (const [index, line] of toLines(text).entries()) {
      const message = shape.exec(line)?.[2];
      if (message === undefined) continue;
      const key = toKey(room, message);
      places.set(key, { count: (places.get(key)?.count ?? 0) + 1, index });
    }
  }
  return places;
}

function findStrangeLines({ rooms, sent, allowStumps }: History): string[] {
  const known = new Map(sent.map((one) => [toKey(one.room, one.message), one]));
  const unknown = sent.filter((one) => one.line === undefined && !one.isRefused);
  const violations: string[] = [];
  for (const [room, text] of rooms) {
    if (text !== '' && !text.endsWith('\n')) violations.push(`${room} ends in half a line`);
    for (const line of toLines(text)) {
      const [, username, message] = shape.exec(line) ?? [];
      const one = message === undefined ? undefined : known.get(toKey(room, message));
      if (one && one.username === username) {
        if (one.line !== undefined && one.line !== `${line}\n`) {
          violations.push(`${room} holds ${quote(line)}, but answered ${quote(one.line)}`);
        }
      } else if (!(allowStumps && isStump(line, room, unknown))) {
        violations.push(`${room} holds a line that nobody sent: ${quote(line)}`);
      }
    }
  }
  return violations;
}

/** Whether a line is the beginning of one that was sent and never answered. */
function isStump(line: string, room: string, unknown: Sent[]): boolean {
  const blank = '[0000-00-00 00:00:00] ';
  return unknown.some((one) => {
    if (one.room !== room) return false;
    const whole = `${blank}${one.username}: ${one.message}`;
    if (line.length >= whole.length) return false;
    const hidden = line.slice(0, blank.length).replace(/\d/g, '0') + line.slice(blank.length);
    return whole.startsWith(hidden);
  });
}

function findLostOrDoubled({ sent }: History, places: Map<string, Subscriber>): string[] {
  const violations: string[] = [];
  for (const one of sent) {
    const count = places.get(toKey(one.room, one.message))?.count ?? 0;
    const name = `${one.client}'s ${quote(one.message)} in ${one.room}`;
    if (one.line !== undefined && count === 0) violations.push(`${name} was acknowledged and lost`);
    if (one.isRefused && count > 0) violations.push(`${name} was refused and yet stored`);
    if (count > 1) violations.push(`${name} is there ${count} times`);
  }
  return violations;
}

/** A client that waits for each answer must find its lines in the order in which it sent them. */
function findReordered({ sent }: History, places: Map<string, Subscriber>): string[] {
  const violations: string[] = [];
  const last = new Map<string, { one: Sent; index: number }>();
  for (const one of [...sent].sort((a, b) => a.sentAtMs - b.sentAtMs)) {
    const place = places.get(toKey(one.room, one.message));
    if (one.line === undefined || !place) continue;
    const key = toKey(one.client, one.room);
    const before = last.get(key);
    const isAfter = (before?.one.answeredAtMs ?? Number.POSITIVE_INFINITY) <= one.sentAtMs;
    if (before && isAfter && before.index > place.index) {
      violations.push(
        `${one.client} sent ${quote(before.one.message)} before ${quote(one.message)}, but ` +
          `${one.room} has them the other way round`,
      );
    }
    last.set(key, { one, index: place.index });
  }
  return violations;
}

/** Every read is a beginning of the final text, and has all that was acknowledged before it began. */
function findStaleReads({ seen, sent, rooms }: History, places: Map<string, Subscriber>): string[] {
  const violations: string[] = [];
  for (const read of seen) {
    const final = rooms.get(read.room) ?? '';
    if (!final.startsWith(read.text)) {
      violations.push(`a read of ${read.room} is no beginning of what it holds in the end`);
      continue;
    }
    if (read.text !== '' && !read.text.endsWith('\n')) {
      violations.push(`a read of ${read.room} ends in half a line`);
    }
    const lineCount = toLines(read.text).length;
    const missing = sent.find((one) => {
      if (one.room !== read.room || one.line === undefined) return false;
      if ((one.answeredAtMs ?? Number.POSITIVE_INFINITY) >= read.beganAtMs) return false;
      const index = places.get(toKey(one.room, one.message))?.index ?? Number.POSITIVE_INFINITY;
      return index >= lineCount;
    });
    if (missing) {
      violations.push(
        `a read of ${read.room} misses ${quote(missing.message)}, acknowledged before`,
      );
    }
  }
  return violations;
}

function toLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function toKey(...parts: string[]): string {
  return JSON.stringify(parts);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
