/**
 * Lets the arrow keys walk from message to message, so that each one's link can be reached without
 * the Tab key passing through all of them.
 * @param {HTMLElement} scroller
 */
export function walkMessages(scroller) {
  scroller.addEventListener('keydown', (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const { target } = event;
    const isLink = target instanceof HTMLAnchorElement && target.matches('.time');
    const isOurs = isLink || target === scroller;
    if (!step || !isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {NodeListOf<HTMLAnchorElement>} */
    const found = scroller.querySelectorAll('a.time');
    const links = [...found];
    const { bottom } = scroller.getBoundingClientRect();
    const next = isLink
      ? links[links.indexOf(target) + step]
      : links.findLast((link) => link.getBoundingClientRect().bottom <= bottom);
    event.preventDefault();
    next?.focus({ preventScroll: true });
    next?.closest('.row')?.scrollIntoView({ block: 'nearest' });
  });
}
