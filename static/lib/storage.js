/** Values that outlive the page, as JSON. Where the browser refuses storage, nothing is kept. */
class Store {
	#area;

	/** @param {'localStorage' | 'sessionStorage'} area */
	constructor(area) {
		try {
			this.#area = window[area];
		} catch {}
	}

	/** @template T @param {string} key @param {T} fallback @returns {T} */
	get(key, fallback) {
		try {
			return JSON.parse(this.#area?.getItem(`chat.${key}`) ?? '') ?? fallback;
		} catch {
			return fallback;
		}
	}

	/** @param {string} key @param {unknown} value `''`, `[]` and undefined remove the entry */
	set(key, value) {
		const json = JSON.stringify(value);
		try {
			if (!json || json === '""' || json === '[]') this.#area?.removeItem(`chat.${key}`);
			else this.#area?.setItem(`chat.${key}`, json);
		} catch {}
	}
}

/** What all tabs share. */
export const shared = new Store('localStorage');
/** What belongs to this tab alone, through reloads. */
export const tabStore = new Store('sessionStorage');
