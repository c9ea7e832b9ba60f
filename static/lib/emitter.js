/** An object that tells others of its events. */
export class Emitter extends EventTarget {
	/** @param {string} type @param {unknown} [detail] what listeners get as `event.detail` */
	emit(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}
}
