// Judges what processes of one world, or those after a power loss, give their readers.

/** What is known of a message. */
export interface Sent {
  readonly room: string;
  /** Unique in the whole history. */
  readonly message: string;
  fate: 'waiting' | 'acknowledged' | 'refused' | 'unknown' | 'removed' | 'touched';
  /** Whether an attempt of it was not acknowledged, which may have left a stump. */
  hasFailed?: boolean;
  /** Somebody edited the room while this was waiting for its answer. */
  isTouched?: boolean;
  /** Somebody did something to the room meanwhile: what is refused then can't always be taken back. */
  mayStay?: boolean;
  /** The line with its LF and the offset after it, from the receipt. */
  line?: Buffer;
  end?: number;
  epoch?: string;
}

/** What one reader was shown of a room: complete lines. */
export interface Shown {
  text: Buffer;
  epoch: string;
}

/** How strict to be. */
export interface Leniency {
  /** Stumps of unacknowledged messages may stand on lines of their own. */
  readonly allowStumps: boolean;
  /**
   * What readers were shown may be gone, where nobody was told that it is stored: its writer's sync
   * failed, and it died before it took that back. The next sync says that all is well (fsync(2)).
   */
  readonly allowVanished: boolean;
  /** Refused messages may be back: the disk failed while they were taken away. */
  readonly allowRefused: boolean;
  /** Somebody edited the room by hand: lines of nobody may be there. */
  readonly isEdited?: boolean;
  /** Somebody at least added something: it may have come in the middle of a message that is not stored. */
  readonly isTouched?: boolean;
  /** What was kept beside a room that somebody edited; no lines if no power was lost. */
  readonly kept?: string;
}

/** Gives what is wrong with a room's text, as sentences. */
export function findFaults(
  room: string,
  text: Buffer,
  sent: Iterable<Sent>,
  leniency: Leniency,
): string[] {
  const faults: string[] = [];
  const counts = countMessages(text);
  const open: Sent[] = [];
  const all: Sent[] = [];
  const known = new Set<string>();
  for (const one of sent) {
    if (one.room !== room) continue;
    known.add(one.message);
    all.push(one);
    const count = counts.get(one.message) ?? 0;
    if (one.fate === 'touched') continue;
    if (count > 1) faults.push(`${one.message} is there ${count} times`);
    if (one.fate === 'removed' && count > 0) faults.push(`${one.message} came back`);
    if (one.fate === 'acknowledged' && !isKept(one, leniency)) faults.push(...findLost(one, text));
    // A failed sync may lose the end of what somebody else wrote just before an acknowledged line.
    const isOpen = one.fate !== 'acknowledged' || one.hasFailed || leniency.allowRefused;
    if (isOpen) open.push(one);
    if (one.fate === 'refused' && count > 0 && !leniency.allowRefused) {
      faults.push(`${one.message} was refused and is there`);
    }
  }
  for (const line of text.toString('latin1').split('\n')) {
    if (line === '' || leniency.isEdited || known.has(toMessage(line) ?? '')) continue;
    if (leniency.allowStumps && isStump(line, open)) continue;
    if (leniency.isTouched && isJoint(line, all)) continue;
    // A cut that was lost brings back what the next message, being shorter, does not cover.
    if (leniency.allowRefused && open.some(({ message }) => message.endsWith(line))) continue;
    faults.push(`a line of nobody: ${JSON.stringify(line)}`);
  }
  return faults;
}

/** Whether a line is beside its room, as somebody edited that. */
function isKept({ line }: Sent, { isEdited, kept = '' }: Leniency): boolean {
  return isEdited === true && kept.includes(line!.toString('utf8'));
}

/** An acknowledged line stands exactly where its receipt says. */
function findLost(one: Sent, text: Buffer): string[] {
  const [line, end] = [one.line!, one.end!];
  const found = text.subarray(end - line.length, end);
  return found.equals(line) ? [] : [`${one.message} was acknowledged and is not at its cursor`];
}

function countMessages(text: Buffer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.toString('latin1').split('\n')) {
    const message = toMessage(line);
    if (message !== undefined) counts.set(message, (counts.get(message) ?? 0) + 1);
  }
  return counts;
}

function toMessage(line: string): string | undefined {
  return /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] user: (<[\w.]+>x*)$/.exec(line)?.[1];
}

/** Whether a line is the stump of one message with another one behind it. */
function isJoint(line: string, all: readonly Sent[]): boolean {
  const cuts = [...line.matchAll(/\[/g)].map(({ index }) => index);
  return cuts.some((cut) => isStump(line.slice(0, cut), all) && isStump(line.slice(cut), all));
}

/**
 * Whether a line is what may be left of messages that nobody was told are stored: the beginning of
 * one, or one with zeros in the place of what the disk lost.
 */
function isStump(line: string, open: readonly Sent[]): boolean {
  const stamp = '[0000-00-00 00:00:00] user: ';
  const hidden = line.replace(/^\[[\d -]*[\d:]*/, (digits) => digits.replace(/\d/g, '0'));
  if (line.includes('\0')) {
    // What is not zero is of messages that are not acknowledged; digits may be the time's.
    const toShape = (text: string): string => text.replace(/\d/g, '0');
    const all = open.map(({ message }) => `${stamp}${toShape(message)}\n`).join('');
    return line.split(/\0+/).every((piece) => all.includes(toShape(piece)));
  }
  return open.some(({ message }) => `${stamp}${message}`.startsWith(hidden));
}
