// npm run test:fuzz -- --minutes N
import { runBuilt } from './built.mjs';

runBuilt('test/faults/fuzz/main.js');
