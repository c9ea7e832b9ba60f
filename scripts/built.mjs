// Builds the service and its tests, then runs compiled programs of them with this one's arguments.
import { build } from './build.mjs';
import { installPackages, mustRun, programOf, run } from './lib.mjs';

/** Runs a program below .build/ and ends with its exit code. */
export function runBuilt(program) {
  runNode([`.build/${program}`, ...process.argv.slice(2)]);
}

/** Runs suites below .build/ one after another, without a limit for a file. */
export function runSuites(suites) {
  const files = suites.map((suite) => `.build/${suite}`);
  runNode(['--test', '--test-concurrency=1', '--test-reporter=spec', ...files]);
}

function runNode(args) {
  installPackages();
  build();
  mustRun(process.execPath, [programOf('tsc'), '-p', 'test']);
  process.exit(run(process.execPath, args));
}
