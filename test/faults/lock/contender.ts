// A process that acquires locks for lock.test.ts, enters sections, leaves evidence in files, and
// dies, stands still or goes on as it is told. Each line that it prints is an event with the time of
// the system's one monotonic clock, so that the events of all processes can be put in order.
import fs from 'node:fs';
import { join } from 'node:path';
import type { HeldLock } from '../../../lib/lock/held-lock.ts';
import { LockFolder } from '../../../lib/lock/lock.ts';

/** What a contender is told, as JSON in its only argument. */
export interface Task {
  /** The folder with `locks` in it; the evidence stands beside. */
  folder: string;
  id: string;
  rooms: string[];
  /** `work`: sections without end. `hold`: acquires each lock and keeps it. `once`: releases it. */
  mode: 'work' | 'hold' | 'once';
  /** Kills itself while it breaks a lock, inside the guard. */
  diesAtBreak?: boolean;
  /** Kills itself inside the section of this number. */
  diesIn?: number;
  /** Stands still inside the section of this number. */
  stopsIn?: number;
}

const task: Task = JSON.parse(process.argv[2] ?? '');
const locks = new LockFolder(join(task.folder, 'locks'), {
  onAcquire: () => undefined,
  onBreak: async () => {
    tell('breaks');
    if (task.diesAtBreak) process.kill(process.pid, 'SIGKILL');
  },
});
// Keeps the process alive while it only holds a lock.
setInterval(() => undefined, 1000);
let section = 0;

if (task.mode === 'work') {
  for (;;) {
    section += 1;
    const room = task.rooms[Math.floor(Math.random() * task.rooms.length)]!;
    await enter(room);
    if (section % 8 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  }
}
for (const room of task.rooms) {
  tell(`wants ${room}`);
  const held = await locks.acquire(room);
  held.publish(section);
  tell(`has ${room}`);
  if (task.mode === 'once') await held.release();
}
if (task.mode === 'once') process.exit(0);

/** Prints an event at once: a kill a moment later does not undo it. */
function tell(event: string): void {
  fs.writeSync(1, `${process.hrtime.bigint()} ${event}\n`);
}

/**
 * One section: puts a marker there that must not exist, adds one to a counter by reading and
 * writing, and removes the marker. Whoever finds a marker came in while somebody was inside, unless that one
 * was killed or stood still in there, which the test knows.
 */
async function enter(room: string): Promise<void> {
  const held = await locks.acquire(room);
  const marker = join(task.folder, `${room}.marker`);
  const name = `${task.id}/${section}`;
  putMarker(marker, name, room);
  held.publish(section);
  if (section === task.diesIn) {
    tell(`dies ${name}`);
    process.kill(process.pid, 'SIGKILL');
  }
  if (section === task.stopsIn) {
    tell(`stops ${name}`);
    process.kill(process.pid, 'SIGSTOP');
    // The signal may take effect a little later than the call returns.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // As an append checks before it writes.
  if (held.isHeld()) count(held, room, marker, name);
  else tell(`lost ${name}`);
  await held.release();
}

function count(held: HeldLock, room: string, marker: string, name: string): void {
  const counter = join(task.folder, `${room}.counter`);
  const fd = fs.openSync(counter, fs.constants.O_RDWR | fs.constants.O_CREAT);
  const bytes = Buffer.alloc(16);
  const before = Number(bytes.toString('latin1', 0, fs.readSync(fd, bytes, 0, 16, 0)) || '0');
  // Long enough for another process to come in, if it could.
  const endMs = performance.now() + Math.random() * 0.5;
  while (performance.now() < endMs);
  fs.writeSync(fd, String(before + 1).padStart(16, '0'), 0);
  fs.closeSync(fd);
  tell(`did ${name} ${room} ${before + 1}`);
  const found = tryRead(marker);
  if (found !== name) tell(`overlap ${name} ${found} ${held.isHeld()}`);
  fs.rmSync(marker, { force: true });
}

/** A link gives the marker its text from its first moment on, whenever the process is killed. */
function putMarker(marker: string, name: string, room: string): void {
  const own = join(task.folder, `${task.id}.marker`);
  fs.writeFileSync(own, name);
  for (;;) {
    try {
      fs.linkSync(own, marker);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      tell(`found ${tryRead(marker)} ${room}`);
      fs.rmSync(marker, { force: true });
    }
  }
  fs.rmSync(own);
}

function tryRead(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return 'none';
  }
}
