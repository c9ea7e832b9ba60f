// Shared by the scripts. Plain JavaScript, as a fresh clone has no build yet.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The project's folder, wherever it was cloned or unzipped. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Whether the module with this `import.meta.url` is the program, not imported by one. */
export function isMain(moduleUrl) {
  return process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === moduleUrl;
}

/** Prints a reason on standard error and exits. */
export function fail(why, code = 1) {
  console.error(why);
  process.exit(code);
}

/**
 * Runs a program in the project's folder and shows its output.
 *
 * @returns its exit code; 1 if a signal ended it or if it could not be started
 */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  return result.status ?? 1;
}

/** Like `run`, but exits with the same code on failure. */
export function mustRun(command, args, options = {}) {
  const code = run(command, args, options);
  if (code !== 0) process.exit(code);
}

/** Compiles the tests, with the sources that they import, into .build/. */
export function compileTests() {
  removeStaleOutputs();
  mustRun(process.execPath, [programOf('tsc'), '-p', 'test']);
}

/** Removes compiled files whose source is gone: they would still run as tests. */
function removeStaleOutputs() {
  for (const path of listFiles('.build')) {
    const source = path.replace(/^\.build\//, '').replace(/\.js$/, '.ts');
    if (!path.endsWith('.js') || existsSync(join(root, source))) continue;
    remove(path);
    // It lists the removed file as up to date.
    remove('.build/tsconfig.tsbuildinfo');
  }
}

/** The path of a package's program, as a script for node. */
export function programOf(name) {
  const programs = { tsc: 'typescript/bin/tsc', biome: '@biomejs/biome/bin/biome' };
  return join(root, 'node_modules', ...programs[name].split('/'));
}

/** Lists every file below a folder: sorted paths relative to the project, with `/` on every system. */
export function listFiles(folder) {
  const absolute = join(root, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => relative(root, path).split(sep).join('/'))
    .sort();
}

/** Hashes names and contents of files, given by paths relative to the project (SHA-256). */
export function hashFiles(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Installs the development packages unless `node_modules` already matches package-lock.json. */
export function installPackages() {
  if (isInstalled()) return;
  console.log('Installing the development packages (npm ci) …');
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('.js')) mustRun(process.execPath, [npm, 'ci']);
  else mustRun('npm', ['ci'], { shell: process.platform === 'win32' });
}

/** Whether `node_modules` has the versions of package-lock.json, by the list that npm keeps there. */
export function isInstalled() {
  const wanted = readPackages('package-lock.json');
  const present = readPackages('node_modules/.package-lock.json');
  if (!wanted || !present) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const there = present[path];
    // npm leaves out optional packages for other systems.
    if (!there && !entry.optional) return false;
    if (there && there.version !== entry.version) return false;
    if (there && !existsSync(join(root, path))) return false;
  }
  return Object.keys(present).every((path) => path in wanted);
}

function readPackages(path) {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return undefined;
  return JSON.parse(readFileSync(absolute, 'utf8')).packages;
}

/** Removes a folder or file of the project, if it exists. */
export function remove(path) {
  rmSync(join(root, path), { recursive: true, force: true });
}
