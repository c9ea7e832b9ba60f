// The project's folder and temporary folders, for code that runs compiled from .build/.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder: the nearest one above this file that has a package.json. */
export const projectFolder: string = findProject(dirname(fileURLToPath(import.meta.url)));

function findProject(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error('no package.json above the test');
  return findProject(above);
}

const madeFolders: string[] = [];

/** Makes an empty temporary folder, which is removed when this process ends. */
export function makeTempFolder(purpose = 'test'): string {
  const folder = mkdtempSync(join(tmpdir(), `chat-${purpose}-`));
  madeFolders.push(folder);
  return folder;
}

process.on('exit', () => {
  for (const folder of madeFolders) rmSync(folder, { recursive: true, force: true });
});

/** Lists a folder of locks without the inodes that processes keep for their next locks. */
export function listLocks(folder: string): string[] {
  return readdirSync(folder).filter((name) => !name.endsWith('.own'));
}
