// Builds the service, compiles the tests, and runs node with this script's arguments, for example
//   node scripts/run-built.mjs .build/test/faults/crash/main.js --seeds 100
import { build } from './build.mjs';
import { compileTests, installPackages, run } from './lib.mjs';

installPackages();
build();
compileTests();
process.exit(run(process.execPath, process.argv.slice(2)));
