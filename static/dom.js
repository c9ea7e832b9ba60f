/** The two ways the page touches its document. Neither takes markup: text stays text. */

/**
 * An element of index.html that has to be there.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no #${id} of that kind`);
  return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes] `class` and the like, no handlers
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;

/**
 * Says a short thing at the foot of the page, to screen readers as well.
 * @param {string} text
 */
export function toast(text) {
  const place = byId('toast', HTMLElement);
  place.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    place.textContent = '';
  }, 4000);
}
