// Plots as SVG: lines over a logarithmic x axis and a y axis that is logarithmic where it has to be.

const WIDTH = 720;
const HEIGHT = 400;
const BOX = { left: 80, right: 20, top: 50, bottom: 60 };
const COLOURS = ['#1b6ca8', '#c4501b', '#2e7d32', '#6a3fa0'];

/**
 * Draws a plot.
 *
 * @param {{ title: string, x: string, y: string, lines: Record<string, [number, number][]> }} plot
 * @returns {string} the SVG
 */
export function drawPlot({ title, x, y, lines }) {
  const points = Object.values(lines).flat();
  const toX = makeScale(
    points.map(([at]) => at),
    BOX.left,
    WIDTH - BOX.right,
    true,
  );
  const heights = points.map(([, value]) => value);
  const isWide = Math.min(...heights) > 0 && Math.max(...heights) / Math.min(...heights) > 20;
  const toY = makeScale(isWide ? heights : [0, ...heights], HEIGHT - BOX.bottom, BOX.top, isWide);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${toSafe(title)}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(WIDTH / 2, 22, title, 'middle', 'font-size="15"'),
    text(WIDTH / 2, HEIGHT - 12, x, 'middle'),
    `<g transform="translate(16 ${HEIGHT / 2}) rotate(-90)">${text(0, 0, y, 'middle')}</g>`,
    ...drawTicks(toX, (at) => [
      `<path d="M${at} ${BOX.top}V${HEIGHT - BOX.bottom}" stroke="#ddd"/>`,
      (label) => text(at, HEIGHT - BOX.bottom + 18, label, 'middle'),
    ]),
    ...drawTicks(toY, (at) => [
      `<path d="M${BOX.left} ${at}H${WIDTH - BOX.right}" stroke="#ddd"/>`,
      (label) => text(BOX.left - 8, at + 4, label, 'end'),
    ]),
    ...Object.entries(lines).map(([name, line], index) => drawLine(name, line, index, toX, toY)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function drawLine(name, line, index, toX, toY) {
  const colour = COLOURS[index % COLOURS.length];
  const places = line.map(([x, y]) => [round(toX.place(x)), round(toY.place(y))]);
  const dots = places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3.5" fill="${colour}"/>`);
  const path = places.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  const legend = text(BOX.left + 12 + index * 150, 42, `● ${name}`, 'start', `fill="${colour}"`);
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${legend}`;
}

function drawTicks({ ticks, place }, draw) {
  return ticks.map((tick) => {
    const [line, toText] = draw(round(place(tick)));
    return line + toText(formatNumber(tick));
  });
}

function makeScale(values, from, to, isLogarithmic) {
  const bend = isLogarithmic ? Math.log10 : (value) => value;
  const least = Math.min(...values);
  const most = Math.max(...values, isLogarithmic ? least * 1.01 : least + 1e-9);
  const place = (value) =>
    from + ((bend(value) - bend(least)) / (bend(most) - bend(least))) * (to - from);
  return { place, ticks: isLogarithmic ? toPowers(least, most) : toSteps(least, most) };
}

function toPowers(least, most) {
  const ticks = [];
  const isShort = Math.log10(most / least) < 3;
  for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power += 1) {
    for (const digit of isShort ? [1, 2, 5] : [1]) ticks.push(digit * 10 ** power);
  }
  return ticks.filter((tick) => tick >= least * 0.999 && tick <= most * 1.001);
}

function toSteps(least, most) {
  const rough = (most - least) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
  const ticks = [];
  for (let tick = Math.ceil(least / step) * step; tick <= most; tick += step) ticks.push(tick);
  return ticks;
}

/** A number as a person reads it: three digits that count. */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) {
    return Math.round(Number(value.toPrecision(3))).toLocaleString('en');
  }
  return String(Number(value.toPrecision(3)));
}

function text(x, y, words, anchor, more = '') {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" ${more}>${toSafe(words)}</text>`;
}

function toSafe(words) {
  return String(words).replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);
}

function round(value) {
  return Math.round(value * 10) / 10;
}
