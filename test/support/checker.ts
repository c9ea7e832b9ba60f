// Judges afterwards what clients saw: no message was lost, doubled, merged with another or reordered.

/** A message that a client sent. Its text is unique in the whole history. */
export interface Sent {
  client: string;
  room: string;
  username: string;
  message: string;
  /** When it was sent and answered, on one clock for the whole history. */
  sentAtMs: number;
  answeredAtMs?: number;
  /** The line that the 201 returned; `undefined` if the outcome is unknown. */
  line?: string;
  /** Whether the service said that the message is not stored. */
  isRefused?: boolean;
}

/** A read of a whole room. */
export interface Seen {
  room: string;
  beganAtMs: number;
  text: string;
}

/** What happened, and what the rooms contain in the end. */
export interface History {
  sent: Sent[];
  seen: Seen[];
  rooms: Map<string, string>;
  /** Whether a line may be the stump of a message whose outcome is unknown. */
  allowStumps?: boolean;
}

const shape = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*?): (.*)$/s;

/** Returns a sentence for each violation: none for a correct history. */
export function findViolations(history: History): string[] {
  const found = findMessages(history.rooms);
  return [
    ...findStrangeLines(history),
    ...findLostOrDoubled(history, found),
    ...findReordered(history, found),
    ...findStaleReads(history, found),
  ];
}

/** How often a message is in its room, and the index of the last line that holds it. */
interface Found {
  count: number;
  index: number;
}

/** Finds every message in its room; the keys are those of `toKey(room, message)`. */
function findMessages(rooms: Map<string, string>): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const [room, text] of rooms) {
    for (const [index, line] of toLines(text).entries()) {
      const message = shape.exec(line)?.[2];
      if (message === undefined) continue;
      const key = toKey(room, message);
      found.set(key, { count: (found.get(key)?.count ?? 0) + 1, index });
    }
  }
  return found;
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

/** Tells whether a line is the beginning of a message that was sent and never answered. */
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

function findLostOrDoubled({ sent }: History, found: Map<string, Found>): string[] {
  const violations: string[] = [];
  for (const one of sent) {
    const count = found.get(toKey(one.room, one.message))?.count ?? 0;
    const name = `${one.client}'s ${quote(one.message)} in ${one.room}`;
    if (one.line !== undefined && count === 0) violations.push(`${name} was acknowledged and lost`);
    if (one.isRefused && count > 0) violations.push(`${name} was refused and yet stored`);
    if (count > 1) violations.push(`${name} is there ${count} times`);
  }
  return violations;
}

/** The lines of a client that waits for each answer are in the order in which it sent them. */
function findReordered({ sent }: History, found: Map<string, Found>): string[] {
  const violations: string[] = [];
  const last = new Map<string, { one: Sent; index: number }>();
  for (const one of [...sent].sort((a, b) => a.sentAtMs - b.sentAtMs)) {
    const position = found.get(toKey(one.room, one.message));
    if (one.line === undefined || !position) continue;
    const key = toKey(one.client, one.room);
    const before = last.get(key);
    const isAfter = (before?.one.answeredAtMs ?? Number.POSITIVE_INFINITY) <= one.sentAtMs;
    if (before && isAfter && before.index > position.index) {
      violations.push(
        `${one.client} sent ${quote(before.one.message)} before ${quote(one.message)}, but ` +
          `${one.room} has them the other way round`,
      );
    }
    last.set(key, { one, index: position.index });
  }
  return violations;
}

/** Every read is a prefix of the final text, with all that was acknowledged before it began. */
function findStaleReads({ seen, sent, rooms }: History, found: Map<string, Found>): string[] {
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
      const index = found.get(toKey(one.room, one.message))?.index ?? Number.POSITIVE_INFINITY;
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
