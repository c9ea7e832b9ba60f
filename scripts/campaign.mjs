// npm run test:campaign -- --minutes N
import { runBuilt } from './built.mjs';

runBuilt('test/faults/campaign/main.js');
