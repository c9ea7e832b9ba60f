// npm run build: checks the sources with tsc and bundles them into dist/ with esbuild: one file, and
// one more for each part that few runs need, because Node spends longer on opening forty files than
// on reading them. Does nothing if dist/ was built from these very sources, so that an unzipped
// chat/ starts without a package installed.
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

// A hash of contents, not times: a checkout, a copy and an unzip change the times.
const stampPath = 'dist/.stamp';

/** Builds dist/ from server.ts and lib/; installs the compilers first if they are missing. */
export function build() {
  if (isUpToDate()) return;
  installPackages();
  remove('dist');
  mustRun(process.execPath, [programOf('tsc'), '-p', '.', '--noEmit']);
  bundle();
  writeFileSync(join(root, stampPath), makeStamp());
}

/** Loads esbuild only now: a fresh clone installed it a moment ago. */
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

/** Hashes sources and outputs, so that a change of either is noticed. */
function makeStamp() {
  const sources = ['server.ts', 'tsconfig.json', 'scripts/build.mjs', ...listFiles('lib')];
  const outputs = listFiles('dist').filter((path) => path !== stampPath);
  return `sources ${hashFiles(sources)}\noutputs ${hashFiles(outputs)}\n`;
}

if (isMain(import.meta.url)) build();
