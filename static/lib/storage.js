/** What the page remembers, as JSON. A browser that refuses storage costs the memory, no more. */
class Memory {
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

/** Shared by all tabs. */
export const memory = new Memory('localStorage');
/** This tab's own, through reloads. */
export const tabMemory = new Memory('sessionStorage');
