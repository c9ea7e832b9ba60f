/**
 * Starts the page. This file imports nothing, so that it runs even where a part of the page is
 * blocked. Where a part doesn't load (the network changes, the server restarts), it reloads the page,
 * a few times, and then says so.
 */
const RELOAD_LIMIT = 4;

// The history entry outlives a reload, even where the browser refuses storage.
const reloads = Number(history.state?.reloads) || 0;

import('./app.js').then(
	() => reloads && history.replaceState(null, ''),
	(error) => {
		if (reloads < RELOAD_LIMIT) {
			history.replaceState({ reloads: reloads + 1 }, '');
			setTimeout(() => location.reload(), 500 * 2 ** reloads);
			return;
		}
		document.getElementById('intro')?.setAttribute('data-state', 'stuck');
		throw error;
	},
);
