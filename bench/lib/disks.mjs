// Disks that are not this machine's own: one with a journal, and one that is slow.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { makeFolder, projectFolder } from './processes.mjs';

/**
 * Mounts an ext4 file system with its journal on a loop device; it goes with this process.
 *
 * @returns the folder; `undefined` without root, loop devices or mkfs
 */
export function makeJournaledDisk() {
  const scratch = makeFolder();
  const [image, folder] = [path.join(scratch, 'image'), path.join(scratch, 'disk')];
  fs.mkdirSync(folder);
  const commands = [
    ['truncate', '-s', '1G', image],
    ['mkfs.ext4', '-q', '-F', image],
    ['mount', '-o', 'loop', image, folder],
  ];
  for (const [program, ...words] of commands) {
    if (spawnSync(program, words).status !== 0) return undefined;
  }
  process.prependListener('exit', () => spawnSync('umount', ['-l', folder]));
  return folder;
}

/** Builds the library that makes each sync 5 ms slower, and gives its path. */
export function buildSlowSync() {
  const source = path.join(projectFolder, 'bench', 'peers', 'slow-sync.c');
  const library = path.join(makeFolder(), 'slow-sync.so');
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  if (status !== 0) throw new Error(`the slow disk needs a C compiler: ${stderr}`);
  return library;
}
