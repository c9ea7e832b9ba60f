// A person at a room's file: adds to it, edits it in place or with an editor that replaces it, cuts it,
// deletes it, begins it anew. Nobody asks for a lock.
import type { Inode, ModelDisk } from './model-disk.ts';
import type { Random } from './random.ts';

/** What a person did to a room. */
export interface Touch {
  readonly what: string;
  /** The room's text before and after; no text if it was deleted. */
  readonly before: Buffer;
  readonly after: Buffer;
  /** Whether it survives a power loss: many editors sync, most other tools don't. */
  readonly isDurable: boolean;
  /** Whether anything but an addition was done. */
  readonly isEdit: boolean;
  /** Whether what was taken away was the end of the file alone: a power loss looks the same. */
  readonly isCut: boolean;
  /** The message that the person wrote. */
  readonly added: string | undefined;
}

const LF = 0x0a;

const KINDS = ['add', 'add', 'add half', 'mark', 'rewrite', 'cut', 'replace', 'delete', 'anew'];

/**
 * Does something to a room, whatever processes are doing to it.
 *
 * @param message what the person would say
 * @param isBetweenCalls whether a process is in the middle of an append: half a line just there makes it
 *   write its whole batch again
 * @returns `undefined` if there is no such room
 */
export function touchByHand(
  disk: ModelDisk,
  file: string,
  message: string,
  isBetweenCalls: boolean,
  random: Random,
): Touch | undefined {
  const inode = disk.find(file);
  if (inode === undefined) return undefined;
  const before = Buffer.from(inode.data);
  const picked = random.pick(KINDS);
  const what = isBetweenCalls && picked === 'add half' ? 'add' : picked;
  const isDurable = random.chance(0.5);
  const lead = before.length === 0 || before.at(-1) === LF ? '' : '\n';
  const line = Buffer.from(`${lead}[2017-07-14 02:40:00] user: ${message}\n`);
  const rest = dropLine(before, random);
  let isOfHand = true;
  switch (what) {
    case 'add':
      disk.write(inode, line, before.length);
      break;
    case 'add half':
      disk.write(inode, line.subarray(0, 1 + random.below(line.length - 1)), before.length);
      break;
    case 'mark':
      isOfHand = false;
      disk.write(inode, markLine(before, random), 0);
      break;
    case 'rewrite':
      isOfHand = false;
      disk.truncate(inode, 0);
      disk.write(inode, rest, 0);
      break;
    case 'cut':
      isOfHand = false;
      disk.truncate(inode, random.below(before.length + 1));
      break;
    case 'replace':
      isOfHand = false;
      replace(disk, file, rest, isDurable);
      break;
    case 'delete':
      isOfHand = false;
      disk.unlink(file);
      break;
    default:
      disk.unlink(file);
      disk.write(disk.create(file, false), line, 0);
  }
  if (isDurable) makeDurable(disk, file, inode);
  return {
    what: `${isDurable ? 'and syncs' : 'only'} ${what}`,
    ...{ before, after: Buffer.from(disk.find(file)?.data ?? ''), isDurable },
    isEdit: !what.startsWith('add'),
    isCut: isPrefix(disk.find(file)?.data, before) && (what === 'cut' || what === 'rewrite'),
    added: isOfHand ? message : undefined,
  };
}

function isPrefix(text: Buffer | undefined, whole: Buffer): boolean {
  return text !== undefined && whole.subarray(0, text.length).equals(text);
}

/** As editors do: the new text beside the old one, then a rename. */
function replace(disk: ModelDisk, file: string, text: Buffer, isDurable: boolean): void {
  const inode = disk.create(`${file}.new`, false);
  disk.write(inode, text, 0);
  if (isDurable) disk.sync(inode, disk.countChanges(inode));
  disk.rename(`${file}.new`, file);
}

function makeDurable(disk: ModelDisk, file: string, old: Inode): void {
  for (const inode of [disk.find(file), old]) {
    if (inode !== undefined) disk.sync(inode, disk.countChanges(inode));
  }
  disk.syncEntries(disk.find(file.slice(0, file.lastIndexOf('/')))!);
}

/** Takes one line out of a text. */
function dropLine(text: Buffer, random: Random): Buffer {
  const lines = text.toString('latin1').split(/(?<=\n)/);
  lines.splice(random.below(lines.length), 1);
  return Buffer.from(lines.join(''), 'latin1');
}

/** Changes one line and keeps its length: its message is none of this history any more. */
function markLine(text: Buffer, random: Random): Buffer {
  const lines = text.toString('latin1').split(/(?<=\n)/);
  const index = random.below(lines.length);
  lines[index] = lines[index]!.replace('<', '{');
  return Buffer.from(lines.join(''), 'latin1');
}
