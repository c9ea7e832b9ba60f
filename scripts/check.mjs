// npm run check: format, lint, and the types of the server and of the page. The house rules that no
// tool knows are a test: test/house/house.test.ts.
import { installPackages, isMain, listFiles, programOf, root, run } from './lib.mjs';

/** @returns whether every check passed; each is run */
export function check() {
  installPackages();
  const codes = [run(process.execPath, [programOf('biome'), 'check', root])];
  codes.push(run(process.execPath, [programOf('tsc'), '-p', '.', '--noEmit']));
  if (listFiles('static').some((path) => path.endsWith('.js'))) {
    codes.push(run(process.execPath, [programOf('tsc'), '-p', 'scripts/static.tsconfig.json']));
  }
  return codes.every((code) => code === 0);
}

if (isMain(import.meta.url)) process.exit(check() ? 0 : 1);
