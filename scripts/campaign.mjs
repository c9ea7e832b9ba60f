// npm run test:campaign -- --minutes N
import { runBuilt } from './built.mjs';

runBuilt('test/campaign/main.js');
