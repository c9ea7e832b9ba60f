// The test vectors of the format (docs/format-vectors.json), which other implementations can use too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../support/paths.ts';

/** The contents of the file. */
export interface Vectors {
  rooms: { room: string; file: string }[];
  badRooms: { room: string; why: string; fit?: number }[];
  time: string;
  lines: { username: string | null; message: string | null; line?: string; fault?: string }[];
  readLines: { line: string; username: string; message: string }[];
  epochs: { text: string; times: number; epoch: string }[];
}

/** The vectors. */
export const vectors: Vectors = JSON.parse(
  readFileSync(join(projectFolder, 'docs', 'format-vectors.json'), 'utf8'),
);

/** Each character of the planes of Unicode that have scripts, symbols or invisible characters. */
export function* listCharacters(): Generator<string> {
  for (const plane of [0, 1, 14]) {
    for (let code = plane << 16; code < (plane + 1) << 16; code += 1) {
      if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code);
    }
  }
}

/** Shows a text in the name of a test. */
export function show(text: string | null | undefined): string {
  const shown = (JSON.stringify(text) ?? 'nothing').replace(
    /(?! )[\s\u2800\p{Cf}\p{Default_Ignorable_Code_Point}]/gu,
    (hidden) => `\\u{${hidden.codePointAt(0)!.toString(16)}}`,
  );
  return shown.length > 60 ? `${shown.slice(0, 50)}… (${text?.length} units)` : shown;
}
