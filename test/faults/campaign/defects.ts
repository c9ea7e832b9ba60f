// Defects that a campaign must find, each put into a copy of the built service.
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import { breakFile, type Defect } from '../crash/mutant.ts';

/** Copies the built service and puts a defect into it; fails if the code no longer fits. */
export function breakService({ file, ...change }: Defect): string {
  const folder = makeTempFolder('broken');
  for (const part of ['server.js', 'lib']) {
    cpSync(join(projectFolder, '.build', part), join(folder, 'dist', part), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  breakFile(join(folder, 'dist', 'lib', `${file}.js`), change);
  return join(folder, 'dist', 'server.js');
}

/** By what each of them does. */
export const defects: Record<string, Defect> = {
  'a change that the hub is not told of': {
    file: 'live/hub',
    from: 'notify(room) {',
    to: 'notify(room) { return;',
  },
  'a cached snapshot that is not validated': {
    file: 'store/folder/room-file',
    from: 'return (one.size === other.size &&',
    to: 'return true || (one.size === other.size &&',
  },
  'receipts of a batch in the wrong order': {
    file: 'store/folder/append',
    from: "gap + lines.join('')",
    to: "gap + [...lines].reverse().join('')",
  },
  'the gap after a line without a break left out': {
    file: 'store/folder/append',
    from: "? '' : '\\n'",
    to: "? '' : ''",
  },
  'a lock that never goes stale': {
    file: 'lock/held-lock',
    from: 'STALE_MS = 2000',
    to: 'STALE_MS = 2_000_000',
  },
  'a batch acknowledged before it is written': {
    file: 'store/group-commit',
    from: 'const outcomes = await this.#commit(room, batch);',
    to: "const outcomes = batch.map(({ entry }) => ({ line: '[2018-02-25 14:00:51] ' + entry.username + ': ' + entry.message + '\\n', cursor: '00000001-1' })); void this.#commit(room, batch).catch(() => 0);",
  },
};
