// npm run test:defects: puts defects into copies of the built code, and shows that the simulation of
// power loss and the campaign see each of them. Takes minutes, so it is no part of npm test.
import { runSuites } from './built.mjs';

runSuites(['test/faults/crash/defects.suite.js', 'test/faults/campaign/defects.suite.js']);
