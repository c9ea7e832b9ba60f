import { tabMemory } from './lib/storage.js';

/**
 * Starts the page. Where a module is lost on the way (the network changes, the server restarts) it
 * loads itself anew, a few times.
 */
const failures = tabMemory.get('failures', 0);

import('./app.js').then(
	() => tabMemory.set('failures', 0),
	(error) => {
		tabMemory.set('failures', failures + 1);
		if (failures > 4) throw error;
		setTimeout(() => location.reload(), 500 * 2 ** failures);
	},
);
