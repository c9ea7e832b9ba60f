// RESULTS.md: the machine, the versions, the table, the plots.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drawPlot, formatNumber } from './plot.mjs';
import { ask, makeFolder, projectFolder } from './processes.mjs';

const benchFolder = path.join(projectFolder, 'bench');

/** One row as a line of the table. */
export function showRow({ what, beside, ours, theirs, ratio, unit, target, isMet, isExtra, note }) {
  const cells = [
    what,
    beside,
    `${formatNumber(ours.median)} ${unit}`,
    theirs === undefined ? '' : `${formatNumber(theirs.median)} ${unit}`,
    ratio === undefined ? '' : `**${ratio.median.toFixed(2)}** (${showSpread(ratio)})`,
    isExtra ? '' : target,
    isExtra ? '' : isMet ? 'yes' : '**no**',
    note ?? '',
  ];
  return `| ${cells.join(' | ')} |`;
}

function showSpread({ low, high }) {
  return `${low.toFixed(2)}–${high.toFixed(2)}`;
}

const resultsFile = path.join(benchFolder, 'results.ndjson');

/** Keeps what was measured, with its time and the machine's load, until it is measured again. */
export function keepResults(name, results, { rounds }) {
  const at = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const load = Number(os.loadavg()[0].toFixed(1));
  const kept = { ...readResults(), [name]: { at, load, rounds, results } };
  const lines = Object.entries(kept).map((entry) => `${JSON.stringify(entry)}\n`);
  fs.writeFileSync(resultsFile, lines.join(''));
}

function readResults() {
  if (!fs.existsSync(resultsFile)) return {};
  const lines = fs.readFileSync(resultsFile, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => JSON.parse(line)));
}

/**
 * Writes RESULTS.md and the plots from what is kept.
 *
 * @param {string[]} names of the measurements, in the order of the page
 */
export function writeReport(names) {
  const all = readResults();
  const kept = names.map((name) => all[name]).filter(Boolean);
  const rows = kept.flatMap(({ at, load, results }) =>
    results
      .filter((row) => 'what' in row)
      .map((row) => `${showRow(row)} ${at.slice(11)}, ${load} |`),
  );
  const plots = kept.flatMap(({ results }) => results.filter((plot) => 'file' in plot));
  for (const plot of plots) fs.writeFileSync(path.join(benchFolder, plot.file), drawPlot(plot));
  const times = kept.map(({ at }) => at).sort();
  const text = [
    '# Results',
    '',
    'Written by `npm run bench`; [README.md](README.md) says how it measures. Machines like this one are',
    'shared: only the ratios mean anything, each with the middle half of its rounds in brackets.',
    'The last column is when a row was measured, and the load average of the two cores just after it.',
    '',
    `- ${times[0]} to ${times.at(-1)} UTC, ${kept[0].rounds} rounds`,
    ...describeMachine(),
    '',
    '| what | beside | ours | theirs | ratio | bound | met | note | at, load |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    '[REMARKS.md](REMARKS.md) has what was tried to make these better, and what came of it.',
    '',
    '## How cost grows',
    '',
    ...plots.map(({ file, title }) => `![${title}](${file})`),
  ];
  fs.writeFileSync(path.join(benchFolder, 'RESULTS.md'), `${text.join('\n')}\n`);
}

function describeMachine() {
  const [{ model }] = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const firstLine = (words) => (words ?? 'missing').split('\n')[0];
  const fileSystem = ask('stat', '-f', '-c', '%T', makeFolder());
  return [
    `- ${os.cpus().length} × ${model.trim()}, ${memory} GB, Linux ${os.release()}, rooms on ${fileSystem}`,
    `- Node ${process.version}; ${firstLine(ask('nginx', '-v'))}; nchan ${readDebian('libnginx-mod-nchan')}; ${firstLine(ask('gunicorn', '--version'))}, Flask ${readDebian('python3-flask')}; proper-lockfile ${readVersion('proper-lockfile')}; ${firstLine(ask('wrk', '-v')).replace(/ Copyright.*/, '')}`,
  ];
}

function readDebian(name) {
  return /^Version: (.*)$/m.exec(ask('dpkg-query', '-s', name) ?? '')?.[1] ?? 'missing';
}

function readVersion(name) {
  const file = path.join(projectFolder, 'node_modules', name, 'package.json');
  return JSON.parse(fs.readFileSync(file, 'utf8')).version;
}
