// The format's vectors (docs/format-vectors.json): a file for everybody who writes another store.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../support/paths.ts';

/** What the file holds. */
export interface Vectors {
  rooms: { room: string; file: string }[];
  badRooms: { room: string; why: string }[];
  time: string;
  lines: { username: string | null; message: string | null; line?: string; fault?: string }[];
  epochs: { text: string; times: number; epoch: string }[];
}

/** The vectors as they stand in docs/. */
export const vectors: Vectors = JSON.parse(
  readFileSync(join(projectFolder, 'docs', 'format-vectors.json'), 'utf8'),
);

/** A text as it may stand in a test's name. */
export function show(text: string | null | undefined): string {
  const shown = JSON.stringify(text) ?? 'nothing';
  return shown.length > 60 ? `${shown.slice(0, 50)}… (${text?.length} units)` : shown;
}
