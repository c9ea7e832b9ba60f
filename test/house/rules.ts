// The rules of the house that no tool knows. Each takes files (path → text) and gives violations as
// sentences. They read text, not a syntax tree: biome's format makes lines mean what they show.

/** Files by path relative to the project, with `/`. */
export type Files = ReadonlyMap<string, string>;

const maxFileLines = 350;
const maxFunctionLines = 60;
const maxFilesInFolder = 12;

/** No file in lib/ is longer than 350 lines. */
export function findLongFiles(files: Files): string[] {
  return eachSource(files, /^lib\//, (path, text) => {
    const count = text.trimEnd().split('\n').length;
    return count > maxFileLines ? [`${path} has ${count} lines, more than ${maxFileLines}`] : [];
  });
}

/** No function in lib/ or server.ts is longer than 60 lines. */
export function findLongFunctions(files: Files): string[] {
  return eachSource(files, /^(lib\/|server\.ts$)/, (path, text) =>
    findFunctions(text)
      .filter(({ lineCount }) => lineCount > maxFunctionLines)
      .map(({ line, lineCount }) => `${path}:${line} is a function of ${lineCount} lines`),
  );
}

/** Finds functions by their first line and by the closing brace at the same indentation. */
export function findFunctions(text: string): { line: number; lineCount: number }[] {
  const lines = text.split('\n');
  const found: { line: number; lineCount: number }[] = [];
  for (const [index, line] of lines.entries()) {
    const start = findFunctionStart(lines, index);
    if (start === undefined) continue;
    const indent = /^ */.exec(line)![0];
    const length = lines.slice(index + 1).findIndex((later) => later.startsWith(`${indent}}`));
    found.push({ line: start + 1, lineCount: index + 2 + length - start });
  }
  return found;
}

const control = /^\s*(?:\} )?(?:else )?(?:if|for|for await|while|switch|catch|with)\b/;
const method =
  /^\s*(?:(?:static|async|get|set|private|protected|public|override)\s+|\*)*#?[\w$]+(?:<.*>)?\(.*\).*\{$/;

/** Where the function begins whose body the line opens; undefined where it opens none. */
function findFunctionStart(lines: string[], index: number): number | undefined {
  const line = lines[index]!;
  if (!line.endsWith('{') || /^\s*(\*|\/\/)/.test(line)) return undefined;
  if (/^\s*\)+.*\{$/.test(line)) {
    const indent = /^ */.exec(line)![0];
    const head = lines
      .slice(0, index)
      .findLastIndex((before) => before.search(/\S/) === indent.length);
    return head === -1 || control.test(lines[head]!) ? undefined : head;
  }
  if (control.test(line)) return undefined;
  if (/=> \{$/.test(line) || /\bfunction\b/.test(line) || method.test(line)) return index;
  return undefined;
}

// One file for each route and one for each panel of the page, however many there are.
const openFolders = ['lib/http/routes', 'static/panels'];

/** No folder with code has more than 12 files, those in its own folders not counted. */
export function findCrowdedFolders(files: Files): string[] {
  const counts = new Map<string, number>();
  for (const path of files.keys()) {
    const folder = path.slice(0, path.lastIndexOf('/'));
    if (!/^(lib|static|test|scripts|bench)(\/|$)/.test(folder)) continue;
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([folder, count]) => count > maxFilesInFolder && !openFolders.includes(folder))
    .map(([folder, count]) => `${folder} has ${count} files, more than ${maxFilesInFolder}`);
}

/** The face of each folder below lib/: the file to read first. */
export const faces: Readonly<Record<string, string>> = {
  cli: 'cli.ts',
  config: 'config.ts',
  disk: 'disk.ts',
  http: 'app.ts',
  'http/request': 'form.ts',
  'http/response': 'reply.ts',
  'http/routes': 'get-room.ts',
  journal: 'journal.ts',
  live: 'hub.ts',
  lock: 'lock.ts',
  migrate: 'migrate.ts',
  ops: 'log.ts',
  room: 'message.ts',
  store: 'store.ts',
  'store/folder': 'folder-store.ts',
  'store/mysql': 'mysql-store.ts',
};

/** Every folder below lib/ has a face, which begins with a comment of three sentences or more. */
export function findFacelessFolders(files: Files): string[] {
  const paths = [...files.keys()].filter((path) => /^lib\/.+\//.test(path));
  const folders = new Set(paths.map((path) => path.slice('lib/'.length, path.lastIndexOf('/'))));
  return [...folders].flatMap((folder) => {
    const face = faces[folder];
    if (face === undefined) return [`lib/${folder} has no face in the table`];
    const text = files.get(`lib/${folder}/${face}`);
    if (text === undefined) return [`lib/${folder} has no ${face}, its face`];
    const header = /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? '';
    const isTold = (header.match(/\.(?=\s)/g) ?? []).length >= 3;
    return isTold ? [] : [`lib/${folder}/${face} does not say what its folder is for`];
  });
}

const privateWords = /^(look(s|ed|ing)?|places?|placed|pok(e|es|ed|ing)|dead)$/i;

/** lib/ uses the glossary's words; `look`, `place`, `poke` and `dead` each had several meanings. */
export function findPrivateWords(files: Files): string[] {
  return eachSource(files, /^(lib\/|server\.ts$)/, (path, text) =>
    text.split('\n').flatMap((line, index) => {
      // A camel-case name is several words: isDead is one, deadline is none of them.
      const words = line.replace(/\bin place\b/g, '').match(/[A-Z]?[a-z]+/g) ?? [];
      const found = words.find((word) => privateWords.test(word));
      return found ? [`${path}:${index + 1} says ${found}`] : [];
    }),
  );
}

/**
 * Who may import whom, below lib/. A row is a file or a folder without the folders in it that have a row
 * of their own; the first that fits counts. `server.ts` starts everything, so it may import all.
 */
export const importTable: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'bounded-map.ts': [],
  'room/': ['room/'],
  'ops/': ['ops/', 'errors.ts'],
  'config/': ['config/', 'ops/', 'errors.ts'],
  'disk/': ['disk/', 'errors.ts'],
  'lock/': ['lock/', 'disk/', 'errors.ts'],
  'journal/': ['journal/', 'disk/', 'errors.ts'],
  'store/folder/': [
    ...['store/folder/', 'store/', 'journal/', 'lock/', 'disk/', 'room/', 'ops/', 'errors.ts'],
    ...['bounded-map.ts'],
  ],
  'store/mysql/': [
    'store/mysql/',
    'store/',
    'config/',
    'room/',
    'ops/',
    'errors.ts',
    'bounded-map.ts',
  ],
  'store/': ['store/', 'room/', 'ops/', 'errors.ts', 'bounded-map.ts'],
  'migrate/': ['migrate/', 'store/', 'room/', 'errors.ts'],
  'live/': ['live/', 'store/store.ts', 'room/', 'ops/', 'errors.ts'],
  'http/routes/': [
    ...['http/response/', 'http/request/', 'http/', 'live/', 'store/store.ts', 'room/', 'ops/'],
    ...['errors.ts', 'bounded-map.ts'],
  ],
  'http/': [
    ...['http/routes/', 'http/response/', 'http/request/', 'http/', 'live/', 'store/store.ts'],
    ...['room/', 'ops/', 'errors.ts', 'bounded-map.ts'],
  ],
  'cli/': [
    ...['cli/', 'migrate/', 'store/folder/', 'store/mysql/', 'store/', 'config/', 'room/'],
    ...['ops/', 'errors.ts'],
  ],
};

/** The packages that a folder may load, and only where it is used or as a type. */
const packages: Readonly<Record<string, RegExp>> = { 'store/mysql/': /^mysql2(\/|$)/ };

/** Imports run down the table. */
export function findWrongImports(files: Files): string[] {
  return eachSource(files, /^(lib\/|server\.ts$)/, (path, text) =>
    listImports(path, text)
      .filter((target) => !mayImport(path, target) || isLoadedAtStart(text, target))
      .map((target) => `${path} must not import ${target}`),
  );
}

function isLoadedAtStart(text: string, target: string): boolean {
  if (target.startsWith('node:') || target.startsWith('lib/')) return false;
  const statement = /^(?:import|export) (?!type )[^;'"]*?['"]([^'"]+)['"]/gm;
  return [...text.matchAll(statement)].some((match) => match[1] === target);
}

function mayImport(from: string, to: string): boolean {
  if (from === 'server.ts') return to.startsWith('node:') || to.startsWith('lib/');
  const row = toRow(from);
  if (row === undefined) return false;
  if (to.startsWith('node:')) return row !== 'room/' || to === 'node:crypto';
  if (!to.startsWith('lib/')) return packages[row]?.test(to) ?? false;
  const allowed = importTable[row]!;
  return allowed.includes(to.slice('lib/'.length)) || allowed.includes(toRow(to) ?? '');
}

/** The row of the table that a file belongs to. */
function toRow(path: string): string | undefined {
  const below = path.slice('lib/'.length);
  return Object.keys(importTable).find((row) =>
    row.endsWith('/') ? below.startsWith(row) : below === row,
  );
}

/**
 * Who may import whom, below static/: a folder may import from itself and from those named. `boot.js`
 * loads `app.js` only when it runs, so that a part that is missing can be reported.
 */
export const pageImportTable: Readonly<Record<string, readonly string[]>> = {
  'boot.js': ['app.js'],
  'app.js': ['lib', 'model', 'net', 'sync', 'messages', 'panels'],
  lib: ['lib'],
  model: ['lib', 'model'],
  net: ['lib', 'model', 'net'],
  sync: ['lib', 'model', 'net', 'sync'],
  messages: ['lib', 'model', 'net', 'sync', 'messages'],
  panels: ['lib', 'model', 'net', 'sync', 'messages'],
};

/** The page's imports run down its table, and no panel imports another. */
export function findWrongPageImports(files: Files): string[] {
  return eachSource(files, /^static\/.*\.js$/, (path, text) =>
    listImports(path, text)
      .filter((target) => {
        const isBelow = pageImportTable[toPageRow(path)]?.includes(toPageRow(target)) ?? false;
        const isLoadedLate = path !== 'static/boot.js' || !/^import\s/m.test(text);
        return !isBelow || !isLoadedLate;
      })
      .map((target) => `${path} must not import ${target}`),
  );
}

function toPageRow(path: string): string {
  return path.startsWith('static/') ? path.split('/')[1]! : path;
}

/** No file imports itself by way of others. */
export function findImportCircles(files: Files): string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, above: string[]) => {
    if (above.includes(path)) {
      circles.push([...above.slice(above.indexOf(path)), path].join(' → '));
    } else if (!done.has(path)) {
      for (const target of listImports(path, files.get(path) ?? ''))
        visit(target, [...above, path]);
      done.add(path);
    }
  };
  for (const path of files.keys()) {
    if (/^(lib\/|server\.ts$|static\/.*\.js$)/.test(path)) visit(path, []);
  }
  return circles;
}

/** Every file of lib/ is reached from server.ts. */
export function findUnusedFiles(files: Files): string[] {
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const target of listImports(path, files.get(path) ?? '')) visit(target);
  };
  visit('server.ts');
  return eachSource(files, /^lib\//, (path) =>
    reached.has(path) ? [] : [`${path} is imported by nothing that serves`],
  );
}

function listImports(path: string, text: string): string[] {
  const patterns = [
    /^import\s+(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
    /^export\s+(?:type\s+)?(?:\*|\{)[^'";]*?\sfrom\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ];
  const names = patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1]!),
  );
  return names.map((name) => (name.startsWith('.') ? resolvePath(path, name) : name));
}

function resolvePath(from: string, name: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** The environment is read in one file, the console written in one. */
export function findForbiddenGlobals(files: Files): string[] {
  const rules: [owner: string, pattern: RegExp][] = [
    ['lib/config/config.ts', /\bprocess\s*\.\s*env\b/],
    ['lib/ops/log.ts', /\bconsole\s*\.|\bprocess\s*\.\s*stdout\b/],
  ];
  return eachSource(files, /^(lib\/|server\.ts$)/, (path, text) =>
    rules
      .filter(([owner, pattern]) => path !== owner && pattern.test(stripComments(text)))
      .map(([owner, pattern]) => `${path} has ${pattern.source}, which belongs in ${owner}`),
  );
}

/** Whatever lib/ exports says what it is. */
export function findMissingDocstrings(files: Files): string[] {
  return eachSource(files, /^lib\//, (path, text) => {
    const lines = text.split('\n');
    return lines.flatMap((line, index) => {
      if (!/^export (?!\{|\*|type \{)/.test(line)) return [];
      const above = lines[index - 1] ?? '';
      return /\*\/\s*$/.test(above) ? [] : [`${path}:${index + 1} exports without a docstring`];
    });
  });
}

/** Nothing is left for later. */
export function findUnfinished(files: Files): string[] {
  const pattern = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
  return eachSource(files, /\.(ts|js|mjs|css|html)$|^\.ci\//, (path, text) =>
    pattern.test(text) ? [`${path} has something left to do`] : [],
  );
}

/** No tracked file names a folder of the machine that it was written on. */
export function findMachinePaths(files: Files): string[] {
  const pattern = /(?<![\w.~:/-]|[\w}]["'])\/(?:work|root|home)\/[\w.]/;
  return eachSource(files, /./, (path, text) => {
    const line = text.split('\n').findIndex((one) => pattern.test(one));
    return line === -1 ? [] : [`${path}:${line + 1} names a folder of one machine`];
  });
}

/** No package is needed at run time, and the lock names no download address. */
export function findPackageFaults(files: Files): string[] {
  const faults: string[] = [];
  const manifest = JSON.parse(files.get('package.json') ?? '{}') as Manifest;
  for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies'] as const) {
    if (field in manifest) faults.push(`package.json has ${field}`);
  }
  // A peer that an operator may bring, as a database's driver, is needed by nobody else.
  for (const name of Object.keys(manifest.peerDependencies ?? {})) {
    const isOptional = manifest.peerDependenciesMeta?.[name]?.optional === true;
    if (!isOptional) faults.push(`package.json needs ${name}`);
  }
  if (/"resolved"|\.tgz/.test(files.get('package-lock.json') ?? '')) {
    faults.push('package-lock.json has download addresses');
  }
  return faults;
}

interface Manifest {
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

/** Applies a rule for one file to every file whose path matches. */
function eachSource(
  files: Files,
  where: RegExp,
  rule: (path: string, text: string) => string[],
): string[] {
  return [...files]
    .filter(([path]) => where.test(path))
    .flatMap(([path, text]) => rule(path, text));
}

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}
