// npm run test:fuzz -- --minutes N
import { runBuilt } from './built.mjs';

runBuilt('test/fuzz/main.js');
