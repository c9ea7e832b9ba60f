/** How the page touches its document. Nothing here takes markup: text stays text. */

/**
 * An element of index.html.
 * @template {HTMLElement} T
 * @param {string} id @param {new () => T} [type]
 * @returns {T}
 */
export function byId(id, type) {
	const element = document.getElementById(id);
	if (element instanceof (type ?? HTMLElement)) return /** @type {T} */ (element);
	throw new Error(`no such #${id}`);
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, string>} attributes @param {...(Node | string)} children
 */
export function make(tag, attributes, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/** @param {EventTarget} target @param {string} types one or some @param {(event: any) => void} act */
export function on(target, types, act) {
	for (const type of types.split(' ')) target.addEventListener(type, act);
}

/** Does something on submit, in place of the browser. @param {string} id @param {() => void} act */
export function onSubmit(id, act) {
	on(byId(id), 'submit', (event) => {
		event.preventDefault();
		act();
	});
}

/** Says what is wrong with a field. @param {HTMLElement} input @param {string} fault or none */
export function showFault(input, fault) {
	byId(`${input.id}-fault`).textContent = fault;
	input.setAttribute('aria-invalid', String(Boolean(fault)));
	if (fault) input.focus();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;

/** Says a short thing, to screen readers as well. @param {string} text */
export function toast(text) {
	const place = byId('toast');
	place.textContent = text;
	clearTimeout(hiding);
	hiding = setTimeout(() => place.replaceChildren(), 4000);
}

export const FOREVER_MS = 2 ** 31 - 1;

/**
 * @param {number} ms @param {AbortSignal} [signal] cuts it short
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal?.addEventListener('abort', done);
		if (signal?.aborted) done();
	});
}
