// npm run test:crash -- --seeds N: seeded histories of the folder store with power losses; a seed
// that fails is printed and can be told again with --seed.
import { runBuilt } from './built.mjs';

runBuilt('test/faults/crash/main.js');
