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

/** Writes RESULTS.md and the plots. */
export function writeReport({ rows, plots, effort, loads }) {
  for (const plot of plots) fs.writeFileSync(path.join(benchFolder, plot.file), drawPlot(plot));
  const remarks = path.join(benchFolder, 'REMARKS.md');
  const text = [
    '# Results',
    '',
    'Written by `npm run bench`. How it measures, and how to read it: [README.md](README.md).',
    'Machines like this one are shared: only the ratios mean anything, and each stands with the middle',
    `half of its ${effort.rounds} rounds in brackets.`,
    '',
    ...describeMachine(loads),
    '',
    '| what | beside | ours | theirs | ratio | bound | met | note |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(showRow),
    '',
    ...(fs.existsSync(remarks) ? [fs.readFileSync(remarks, 'utf8').trimEnd(), ''] : []),
    '## How cost grows',
    '',
    ...plots.map(({ file, title }) => `![${title}](${file})`),
  ];
  fs.writeFileSync(path.join(benchFolder, 'RESULTS.md'), `${text.join('\n')}\n`);
}

function describeMachine(loads) {
  const [{ model }] = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const firstLine = (words) => (words ?? 'missing').split('\n')[0];
  const fileSystem = ask('stat', '-f', '-c', '%T', makeFolder());
  return [
    `- ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC; the machine's load average was ${loads}`,
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
