// npm run build: sources → dist/. Does nothing where dist/ is already what these sources give, so
// that an unzipped chat/ starts without a package installed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  hashFiles,
  installPackages,
  isMain,
  listFiles,
  mustRun,
  programOf,
  remove,
  root,
} from './lib.mjs';

// Contents, not times: a checkout, a copy and an unzip all set times as they like.
const stampPath = 'dist/.stamp';

/** Makes dist/ from server.ts and lib/, installing the compiler first where it is missing. */
export function build() {
  if (isUpToDate()) return;
  installPackages();
  remove('dist');
  mustRun(process.execPath, [programOf('tsc'), '-p', '.']);
  writeFileSync(join(root, stampPath), makeStamp());
}

function isUpToDate() {
  const absolute = join(root, stampPath);
  return existsSync(absolute) && readFileSync(absolute, 'utf8') === makeStamp();
}

/** What was built from what: sources and outputs, so that a change of either is noticed. */
function makeStamp() {
  const sources = ['server.ts', 'tsconfig.json', ...listFiles('lib')];
  const outputs = listFiles('dist').filter((path) => path !== stampPath);
  return `sources ${hashFiles(sources)}\noutputs ${hashFiles(outputs)}\n`;
}

if (isMain(import.meta.url)) build();
