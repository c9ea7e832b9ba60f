// npm run build: sources → dist/, checked by tsc and put into one file by esbuild, and one more for
// each part that few runs need: Node takes longer to open forty files than to read what is in them.
// Does nothing where dist/ is already what these sources give, so that an unzipped chat/ starts
// without a package installed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

/** Makes dist/ from server.ts and lib/, installing the compilers first where they are missing. */
export function build() {
  if (isUpToDate()) return;
  installPackages();
  remove('dist');
  mustRun(process.execPath, [programOf('tsc'), '-p', '.', '--noEmit']);
  bundle();
  writeFileSync(join(root, stampPath), makeStamp());
}

/** Required when it is wanted: a fresh clone has it only by now. */
function bundle() {
  const { buildSync } = createRequire(import.meta.url)('esbuild');
  buildSync({
    absWorkingDir: root,
    entryPoints: ['server.ts'],
    outdir: 'dist',
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
}

function isUpToDate() {
  const absolute = join(root, stampPath);
  return existsSync(absolute) && readFileSync(absolute, 'utf8') === makeStamp();
}

/** What was built from what: sources and outputs, so that a change of either is noticed. */
function makeStamp() {
  const sources = ['server.ts', 'tsconfig.json', 'scripts/build.mjs', ...listFiles('lib')];
  const outputs = listFiles('dist').filter((path) => path !== stampPath);
  return `sources ${hashFiles(sources)}\noutputs ${hashFiles(outputs)}\n`;
}

if (isMain(import.meta.url)) build();
