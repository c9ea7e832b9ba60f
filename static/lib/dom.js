/**
 * lib/ knows nothing of chat: the document, time, storage and events, as every part uses them. This
 * file touches the document. Nothing here takes markup, so text stays text.
 */

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
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, string>} attributes @param {...(Node | string)} children
 */
export function make(tag, attributes, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/**
 * Listens to events.
 * @param {EventTarget} target @param {string} types one or several, with spaces between
 * @param {(event: any) => void} act
 */
export function on(target, types, act) {
	for (const type of types.split(' ')) target.addEventListener(type, act);
}

/** Handles a form’s submit, so that the browser doesn’t. @param {string} id @param {() => void} act */
export function onSubmit(id, act) {
	on(byId(id), 'submit', (event) => {
		event.preventDefault();
		act();
	});
}

/** Says what is wrong with a field. @param {HTMLElement} input @param {string} fault or '' */
export function showFault(input, fault) {
	byId(`${input.id}-fault`).textContent = fault;
	input.setAttribute('aria-invalid', String(Boolean(fault)));
	if (fault) input.focus();
}

/** Whether the reader is at this page: a window can be in sight while they are in another. */
export function isAttended() {
	return !document.hidden && document.hasFocus();
}

/** Acts when the reader comes to this page or leaves it. @param {() => void} act */
export function onAttention(act) {
	on(document, 'visibilitychange', act);
	on(window, 'focus blur', act);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;

/** Shows a short text for a while, to screen readers as well. @param {string} text */
export function toast(text) {
	const element = byId('toast');
	element.textContent = text;
	clearTimeout(hiding);
	hiding = setTimeout(() => element.replaceChildren(), 4000);
}
