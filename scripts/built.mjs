// Builds the service and its tests, then runs one compiled program of them with this one's arguments.
import { build } from './build.mjs';
import { installPackages, mustRun, programOf, run } from './lib.mjs';

/** Runs a program below .build/ and ends with its exit code. */
export function runBuilt(program) {
  installPackages();
  build();
  mustRun(process.execPath, [programOf('tsc'), '-p', 'test']);
  process.exit(run(process.execPath, [`.build/${program}`, ...process.argv.slice(2)]));
}
