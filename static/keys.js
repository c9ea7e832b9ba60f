/**
 * Lets the arrow keys walk from message to message, so that each one's link can be reached without
 * the Tab key passing through all of them.
 * @param {HTMLElement} scroller
 */
export function walkMessages(scroller) {
  scroller.addEventListener('keydown', (event) => {
    const steps = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const isOurs = event.target === scroller || isTime(event.target);
    if (!steps || !isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
    const links = [...scroller.querySelectorAll('#rows .time')].filter(isTime);
    const current = isTime(event.target) ? links.indexOf(event.target) : -1;
    const next = links[current < 0 ? lastInSight(links, scroller) : current + steps];
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.closest('.row')?.scrollIntoView({ block: 'nearest' });
  });
}

/**
 * @param {unknown} target
 * @returns {target is HTMLAnchorElement}
 */
function isTime(target) {
  return target instanceof HTMLAnchorElement && target.matches('.time');
}

/** @param {HTMLElement[]} links @param {HTMLElement} scroller */
function lastInSight(links, scroller) {
  const { bottom } = scroller.getBoundingClientRect();
  return links.findLastIndex((link) => link.getBoundingClientRect().bottom <= bottom);
}
