// The import table as a picture: a Mermaid diagram in docs/architecture.md, which a test compares
// with the table. `npm run picture` draws it again after a change of the table.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectFolder } from '../support/paths.ts';
import { importTable } from './rules.ts';

const page = join(projectFolder, 'docs', 'architecture.md');
const diagram = /```mermaid\n[\s\S]*?```/;

/** Whether nearly every folder may import it, so that its arrows would hide the others. */
const isLeaf = (box: string) => !box.includes('/') || box === 'ops/';

/**
 * Draws who may import whom.
 *
 * @param table rows of files and folders as in `importTable`
 * @returns a Mermaid block: a box for each folder, an arrow for each import that is allowed
 */
export function drawImports(table: typeof importTable): string {
  const targets = new Map<string, Set<string>>();
  for (const [row, allowed] of Object.entries(table)) {
    const from = toBox(row);
    if (isLeaf(from)) continue;
    const drawn = targets.get(from) ?? new Set();
    for (const to of allowed.map(toBox)) {
      if (to !== from && !isLeaf(to)) drawn.add(to);
    }
    targets.set(from, drawn);
  }
  const imported = new Set([...targets.values()].flatMap((set) => [...set]));
  targets.set('server.ts', new Set([...targets.keys()].filter((box) => !imported.has(box))));
  const boxes = [...targets.keys()].sort().map((box) => `  ${toId(box)}["${box}"]`);
  const arrows = [...targets]
    .filter(([, set]) => set.size > 0)
    .map(([from, set]) => `  ${toId(from)} --> ${[...set].sort().map(toId).join(' & ')}`);
  return ['```mermaid', 'flowchart TD', ...boxes, ...arrows.sort(), '```'].join('\n');
}

/** The box of a row: `http/` stands for its folders too, `store/` for its files. */
function toBox(row: string): string {
  if (row.startsWith('http/')) return 'http/';
  return row.endsWith('.ts') && row.includes('/') ? row.slice(0, row.lastIndexOf('/') + 1) : row;
}

function toId(box: string): string {
  return box.replace(/\W+/g, '_').replace(/_$/, '');
}

/** The picture as docs/architecture.md has it; undefined where it has none. */
export function readPicture(): string | undefined {
  return diagram.exec(readArchitecture())?.[0];
}

/** The text of docs/architecture.md. */
export function readArchitecture(): string {
  return readFileSync(page, 'utf8');
}

if (pathToFileURL(process.argv[1] ?? '').href === import.meta.url) {
  const text = readArchitecture();
  if (!diagram.test(text)) throw new Error(`${page} has no Mermaid block to replace`);
  writeFileSync(
    page,
    text.replace(diagram, () => drawImports(importTable)),
  );
}
