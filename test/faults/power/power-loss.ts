// A real power loss, as far as one machine can have it: the server writes to a file system on a loop
// device. What that file system has not written back is not in the device's image, so a copy of the image
// is what a disk has after a power loss. The copy is mounted, and a server is started on it.
//
// The kernel writes on while a large image is copied, and a mix of moments is no power loss: a log that is
// newer than the blocks it speaks of is trusted. So the image is on a file system that is frozen meanwhile.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { post, read } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer } from '../../support/server.ts';

/** How each file system is made and mounted. Nothing writes its own journal back behind our backs. */
const KINDS = {
  ext4: { make: ['mkfs.ext4', '-q', '-F'], options: 'loop,commit=300' },
  xfs: { make: ['mkfs.xfs', '-q', '-f'], options: 'loop,nouuid' },
};

/** A file system that loses power. */
export type Kind = keyof typeof KINDS;

/** What came of it. */
export interface PowerLossResult {
  readonly faults: string[];
  readonly acknowledged: number;
  readonly losses: number;
  /** How many rooms a new start had to put something back into. */
  readonly restoredRooms: number;
}

interface Message {
  readonly room: string;
  readonly line: string;
  readonly end: number;
}

/**
 * Lets one server write, and takes its power several times.
 *
 * @param rooms how many rooms are written to
 * @param losses how many power losses
 * @param env how the server is configured
 */
export async function losePower(
  kind: Kind,
  rooms: number,
  losses: number,
  env: Record<string, string> = {},
): Promise<PowerLossResult> {
  const scratch = makeTempFolder('power');
  const [holder, copy] = [join(scratch, 'holder.img'), join(scratch, 'copy.img')];
  const [outside, disk, after] = ['outside', 'disk', 'after'].map((name) =>
    join(scratch, name),
  ) as [string, string, string];
  for (const folder of [outside, disk, after]) mkdirSync(folder);
  run('truncate', '-s', '600M', holder);
  run(...KINDS.ext4.make, holder);
  mount('ext4', holder, outside);
  const image = join(outside, 'disk.img');
  run('truncate', '-s', '400M', image);
  run(...KINDS[kind].make, image);
  mount(kind, image, disk);
  const faults: string[] = [];
  const acknowledged: Message[] = [];
  let restoredRooms = 0;
  const server = await startServer({ store: join(disk, 'rooms'), env });
  const writers = startWriters(server, rooms, acknowledged);
  try {
    for (let loss = 0; loss < losses && faults.length === 0; loss += 1) {
      await sleep(50 + 400 * Math.random());
      // The moment of the loss: what was acknowledged before counts, and nothing is synced while we copy.
      server.signal('SIGSTOP');
      const known = acknowledged.slice();
      run('fsfreeze', '-f', outside);
      try {
        run('cp', '--sparse=always', image, copy);
      } finally {
        run('fsfreeze', '-u', outside);
        server.signal('SIGCONT');
      }
      mount(kind, copy, after);
      try {
        restoredRooms += await judge(join(after, 'rooms'), known, faults);
      } finally {
        run('umount', after);
      }
    }
  } finally {
    writers.stop();
    await server.kill();
    run('umount', disk);
    run('umount', outside);
    rmSync(holder);
    rmSync(copy, { force: true });
  }
  return { faults, acknowledged: acknowledged.length, losses, restoredRooms };
}

/** Starts a server on what is left, and looks for each acknowledged line at its cursor, once. */
async function judge(store: string, known: readonly Message[], faults: string[]): Promise<number> {
  const server = await startServer({ store });
  const texts = new Map<string, Buffer>();
  for (const { room, line, end } of known) {
    let text = texts.get(room);
    if (text === undefined) {
      const { status, body } = await read(server, room);
      if (status !== 200) faults.push(`${room} is answered ${status}`);
      text = body;
      texts.set(room, body);
    }
    const bytes = Buffer.from(line);
    if (!text.subarray(end - bytes.length, end).equals(bytes)) faults.push(`${room} lacks ${line}`);
    else if (text.indexOf(bytes) !== text.lastIndexOf(bytes))
      faults.push(`${room} has twice ${line}`);
  }
  await server.kill();
  return server.stdout.filter((line) => line.includes('after a power loss')).length;
}

/** Posts to random rooms, a few messages at a time, until stopped. */
function startWriters(server: Server, rooms: number, acknowledged: Message[]) {
  let isStopped = false;
  let count = 0;
  const write = async (): Promise<void> => {
    while (!isStopped) {
      count += 1;
      const room = `room-${Math.floor(Math.random() * rooms)}`;
      const message = `<${count}>${'x'.repeat(Math.random() * 200)}`;
      try {
        const { status, text, headers } = await post(server, room, { username: 'u', message });
        const end = Number(String(headers['chat-cursor']).split('-')[1]);
        if (status === 201) acknowledged.push({ room, line: text, end });
      } catch {
        return;
      }
    }
  };
  for (let n = 0; n < 8; n += 1) void write();
  return {
    stop: () => {
      isStopped = true;
    },
  };
}

function mount(kind: Kind, image: string, folder: string): void {
  run('mount', '-o', KINDS[kind].options, image, folder);
}

function run(...[program, ...args]: string[]): void {
  const { status, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}
