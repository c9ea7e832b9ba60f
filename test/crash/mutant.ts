// A copy of the built folder store with one deliberate defect in it, to show that it is seen.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeTempFolder, projectFolder } from '../support/paths.ts';
import type { StoreClass } from './history.ts';

/** One defect: what stands in the built file, and what stands there instead. */
export interface Defect {
  /** A file of lib/store, without its ending. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Loads a store with a defect; all else is that of this build. */
export async function loadDefective(defect: Defect): Promise<StoreClass> {
  const built = join(projectFolder, '.build', 'lib');
  const folder = makeTempFolder('defect');
  cpSync(join(built, 'store'), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.js'))) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll("'../", `'${pathToFileURL(built).href}/`));
  }
  breakFile(join(folder, `${defect.file}.js`), defect);
  const { FileStore } = await import(pathToFileURL(join(folder, 'file.js')).href);
  return FileStore;
}

/** Puts a defect into a file; fails where the code is not what the defect was made for. */
export function breakFile(path: string, { from, to }: Omit<Defect, 'file'>): void {
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${path} has ${from} not exactly once`);
  writeFileSync(path, text.replace(from, to));
}
