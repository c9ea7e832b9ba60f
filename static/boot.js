import { tabMemory } from './storage.js';

/**
 * Starts the page. Its modules are many small files, and one that is lost on the way (a network that
 * changes, a server that restarts) would leave the page dead: then it loads itself anew, a few times.
 */
const failures = tabMemory.get('failures', 0);

import('./app.js').then(
  () => tabMemory.set('failures', undefined),
  (error) => {
    tabMemory.set('failures', failures + 1);
    if (failures < 5) setTimeout(() => location.reload(), 500 * 2 ** failures);
    else reportError(error);
  },
);
