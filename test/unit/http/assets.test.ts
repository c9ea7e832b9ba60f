// The front end's files, read once at start (contract §2).
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type Asset, Assets, MAX_ASSETS } from '../../../lib/http/assets.ts';
import { makeTempFolder } from '../../support/paths.ts';

const script = 'export const line = "[2018-02-25 14:00:51] omri: hi";\n'.repeat(50);

function makeFolder(files: Record<string, string | Buffer>): string {
  const folder = makeTempFolder('assets');
  for (const [file, body] of Object.entries({ 'index.html': '<!doctype html>', ...files })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), body);
  }
  return folder;
}

/** The value of a header field of the file's answer. */
function fieldOf(asset: Asset | undefined, name: string): string | undefined {
  const fields = [...(asset?.cacheFields ?? []), ...(asset?.bodyFields ?? [])];
  return fields[fields.indexOf(name) + 1 || fields.length];
}

suite('a file', () => {
  test('is found by its path below the folder, and only by that', async () => {
    const assets = new Assets(makeFolder({ 'a/b.js': script }));
    assert.equal((await assets.find('a/b.js', undefined))?.body.toString(), script);
    for (const path of [
      '',
      '/',
      'a',
      'a/',
      'b.js',
      '/a/b.js',
      './a/b.js',
      'a//b.js',
      'x/../a/b.js',
      'A/B.JS',
    ]) {
      assert.equal(await assets.find(path, undefined), undefined, path);
    }
    for (const path of ['__proto__', 'toString', '../package.json', 'a\\b.js']) {
      assert.equal(await assets.find(path, undefined), undefined, path);
    }
  });

  test('is served as it was at the start, whatever happens to the folder', async () => {
    const folder = makeFolder({ 'a.js': script });
    const assets = new Assets(folder);
    rmSync(folder, { recursive: true });
    assert.equal((await assets.find('a.js', undefined))?.body.toString(), script);
  });

  test('that is hidden, or in a hidden folder, is not served', async () => {
    const assets = new Assets(
      makeFolder({ '.env': 'secret', '.git/config': 'x', 'a/.b/c.js': 'x' }),
    );
    for (const path of ['.env', '.git/config', 'a/.b/c.js'])
      assert.equal(await assets.find(path, undefined), undefined);
  });

  test('may be a link', async () => {
    const folder = makeFolder({});
    symlinkSync(join(folder, 'index.html'), join(folder, 'other.html'));
    symlinkSync(makeFolder({ 'a.js': script }), join(folder, 'vendor'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling.js'));
    const assets = new Assets(folder);
    assert.ok(await assets.find('other.html', undefined));
    assert.ok(await assets.find('vendor/a.js', undefined), 'or a folder');
    assert.equal(
      await assets.find('dangling.js', undefined),
      undefined,
      'one that leads nowhere is none',
    );
  });

  test('is refused where links lead back into their own folder, again and again', () => {
    const folder = makeFolder({});
    mkdirSync(join(folder, 'parts'));
    for (const name of ['a', 'b']) symlinkSync(join(folder, 'parts'), join(folder, 'parts', name));
    assert.throws(() => new Assets(folder), /too large for a front end/);
  });

  const types: Record<string, string> = {
    'a.js': 'text/javascript; charset=utf-8',
    'a.MJS': 'text/javascript; charset=utf-8',
    'a.css': 'text/css; charset=utf-8',
    'a.svg': 'image/svg+xml; charset=utf-8',
    'a.png': 'image/png',
    'a.woff2': 'font/woff2',
    'a.tar.gz': 'application/octet-stream',
    noending: 'application/octet-stream',
  };
  test('has the type of its ending', async () => {
    const assets = new Assets(
      makeFolder(Object.fromEntries(Object.keys(types).map((file) => [file, 'x']))),
    );
    for (const [file, type] of Object.entries(types)) {
      assert.equal(fieldOf(await assets.find(file, undefined), 'Content-Type'), type, file);
    }
  });

  test('has a tag of its bytes alone, the same on every replica, another for each coding', async () => {
    const [one, other] = [
      new Assets(makeFolder({ 'a.js': script })),
      new Assets(makeFolder({ 'a.js': script })),
    ];
    const changed = new Assets(makeFolder({ 'a.js': `${script} ` }));
    const tags = new Set<string | undefined>();
    for (const coding of [undefined, 'gzip', 'br']) {
      const asset = await one.find('a.js', coding);
      assert.equal(fieldOf(asset, 'ETag'), asset?.etag);
      assert.match(asset?.etag ?? '', /^"[\x21\x23-\x7e]+"$/);
      assert.equal((await other.find('a.js', coding))?.etag, asset?.etag);
      assert.notEqual((await changed.find('a.js', coding))?.etag, asset?.etag);
      tags.add(asset?.etag);
    }
    assert.equal(tags.size, 3);
  });
});

suite('the codings', () => {
  test('of a text give its bytes back', async () => {
    const assets = new Assets(makeFolder({ 'a.js': script }));
    const gzip = await assets.find('a.js', 'gzip');
    const brotli = await assets.find('a.js', 'gzip, br');
    assert.equal(fieldOf(gzip, 'Content-Encoding'), 'gzip');
    assert.equal(gunzipSync(gzip!.body).toString(), script);
    assert.equal(fieldOf(brotli, 'Content-Encoding'), 'br');
    assert.equal(brotliDecompressSync(brotli!.body).toString(), script);
    assert.equal(fieldOf(await assets.find('a.js', undefined), 'Content-Encoding'), undefined);
  });

  test('are made once, however many ask at the same time', async () => {
    const assets = new Assets(makeFolder({ 'a.js': script }));
    const asked = Array.from({ length: 5 }, () => assets.find('a.js', 'br'));
    const [first, ...others] = await Promise.all(asked);
    for (const other of others) assert.equal(other, first);
    assert.equal(await assets.find('a.js', 'br'), first);
  });

  test('are none where they save nothing, or the file is packed already', async () => {
    const assets = new Assets(makeFolder({ 'tiny.js': 'x', 'a.png': Buffer.alloc(9999) }));
    for (const file of ['tiny.js', 'a.png']) {
      const asset = await assets.find(file, 'gzip, br');
      assert.equal(fieldOf(asset, 'Content-Encoding'), undefined, file);
    }
  });

  test('make the answer vary, with and without one', async () => {
    const assets = new Assets(makeFolder({ 'a.js': script, 'a.png': 'x' }));
    for (const file of ['a.js', 'a.png']) {
      assert.equal(fieldOf(await assets.find(file, undefined), 'Vary'), 'Accept-Encoding');
    }
  });
});

suite('a folder that is no front end', () => {
  test('is refused: without index.html', () => {
    const folder = makeFolder({});
    rmSync(join(folder, 'index.html'));
    assert.throws(() => new Assets(folder), /has no index\.html/);
  });

  test('is refused: a page that is a folder', () => {
    const folder = makeFolder({});
    rmSync(join(folder, 'index.html'));
    mkdirSync(join(folder, 'index.html'));
    assert.throws(() => new Assets(folder), /has no index\.html/);
  });

  test('is refused: one file more than the limit', () => {
    const files = Array.from({ length: MAX_ASSETS - 1 }, (_, index) => [`${index}.png`, '']);
    const folder = makeFolder(Object.fromEntries(files));
    new Assets(folder);
    writeFileSync(join(folder, 'more.png'), '');
    assert.throws(() => new Assets(folder), /too large for a front end/);
  });
});
