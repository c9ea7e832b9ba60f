// A copy of the built folder store with one deliberate defect in it, to show that it is seen.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeTempFolder, projectFolder } from '../../support/paths.ts';
import type { StoreClass } from './history.ts';

/** One defect: what stands in the built file, and what stands there instead. */
export interface Defect {
  /** A file of lib, without its ending. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Loads a store with a defect; all else is that of this build. */
export async function loadDefective(defect: Defect): Promise<StoreClass> {
  const built = join(projectFolder, '.build', 'lib');
  const folder = makeTempFolder('defect');
  cpSync(built, folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  // Errors are told apart by their class, so there must be one of each.
  const errors = pathToFileURL(join(built, 'errors.js')).href;
  writeFileSync(join(folder, 'errors.js'), `export * from '${errors}';\n`);
  breakFile(join(folder, `${defect.file}.js`), defect);
  const { FolderStore } = await import(
    pathToFileURL(join(folder, 'store', 'folder', 'folder-store.js')).href
  );
  return FolderStore;
}

/** Puts a defect into a file; fails where the code is not what the defect was made for. */
export function breakFile(path: string, { from, to }: Omit<Defect, 'file'>): void {
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${path} has ${from} not exactly once`);
  writeFileSync(path, text.replace(from, to));
}
