/** The front end: read once at start, with its headers; its compressed forms are made when asked for. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import type { BrotliOptions, ZlibOptions } from 'node:zlib';
import { pickCoding } from '../request/negotiate.ts';

/** The most that a front end may weigh, in bytes. */
export const MAX_ASSETS_BYTES = 64 << 20;

/** The most files that a front end may have, and the most folders. */
export const MAX_ASSETS = 2000;

/** The page that every room shows. */
export const PAGE = 'index.html';

const CODINGS = ['br', 'gzip'] as const;

type Coding = (typeof CODINGS)[number];

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

const COMPRESSIBLE = /^(?:text\/|application\/(?:json|manifest\+json|wasm)|image\/svg)/;

/** One form of a file, ready to be sent. */
export interface Asset {
  readonly etag: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** The files of a front end by their path with `/` between folders. */
export class Assets {
  readonly #files = new Map<string, AssetFile>();

  /**
   * Reads a front end.
   *
   * @param folder an absolute path
   * @throws Error, with one line for the operator, where it is no front end or past the limits
   */
  constructor(folder: string) {
    let sizeBytes = 0;
    for (const file of listFiles(folder)) {
      const body = fs.readFileSync(`${folder}/${file}`);
      sizeBytes += body.length;
      if (sizeBytes > MAX_ASSETS_BYTES) throw tooLarge(folder);
      this.#files.set(file, new AssetFile(file, body));
    }
    if (!this.#files.has(PAGE)) throw new Error(`${folder} has no ${PAGE}`);
  }

  /**
   * Finds a file in the form that the client likes best.
   *
   * @param file its path below the folder
   * @returns `undefined` where there is no such file
   */
  async find(file: string, headers: IncomingHttpHeaders): Promise<Asset | undefined> {
    return this.#files.get(file)?.choose(headers['accept-encoding']);
  }
}

/** A file with its forms: the packed ones are made once, when the first client asks for them. */
class AssetFile {
  readonly #type: string;
  readonly #hash: string;
  readonly #plain: Asset;
  readonly #packed = new Map<Coding, Promise<Asset>>();

  constructor(file: string, body: Buffer) {
    this.#type = TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';
    this.#hash = createHash('sha256').update(body).digest('base64url').slice(0, 16);
    this.#plain = toAsset(this.#type, this.#hash, body);
  }

  async choose(acceptEncoding: string | undefined): Promise<Asset> {
    if (!COMPRESSIBLE.test(this.#type)) return this.#plain;
    const coding = pickCoding(acceptEncoding, CODINGS) as Coding | undefined;
    if (coding === undefined) return this.#plain;
    let packed = this.#packed.get(coding);
    if (packed === undefined) {
      packed = this.#pack(coding);
      this.#packed.set(coding, packed);
      // A failure is its asker's alone: the next one tries again.
      packed.catch(() => this.#packed.delete(coding));
    }
    return packed;
  }

  /** @returns the file as it is where packing does not make it smaller */
  async #pack(coding: Coding): Promise<Asset> {
    const { body } = this.#plain;
    const packed = await pack(body, coding);
    return packed.length < body.length
      ? toAsset(this.#type, this.#hash, packed, coding)
      : this.#plain;
  }
}

/**
 * Lists the files below a folder, none that is hidden. Paths are put together by hand: `path.join`
 * for each of them is enough to start V8's optimizing compiler, 3 MB of it.
 */
function listFiles(folder: string): string[] {
  const files: string[] = [];
  // It grows as folders are found. Links may lead back into one, so they are limited, too.
  const prefixes = [''];
  for (const prefix of prefixes) {
    for (const name of fs.readdirSync(`${folder}/${prefix}`)) {
      const file = prefix + name;
      if (name.startsWith('.')) continue;
      // Links count as what they lead to; one that leads nowhere is no file.
      const found = fs.statSync(`${folder}/${file}`, { throwIfNoEntry: false });
      if (found?.isDirectory()) prefixes.push(`${file}/`);
      else if (found?.isFile()) files.push(file);
      if (Math.max(files.length, prefixes.length) > MAX_ASSETS) throw tooLarge(folder);
    }
  }
  return files;
}

function tooLarge(folder: string): Error {
  const limits = `${MAX_ASSETS} files in as many folders, 64 MiB`;
  return new Error(`${folder} is too large for a front end; the limit is ${limits}`);
}

/** Packs with a window as large as the file: the defaults' tables take longer to make than the rest. */
async function pack(body: Buffer, coding: Coding): Promise<Buffer> {
  const { default: zlib } = await import('node:zlib');
  const windowBits = Math.max(10, Math.ceil(Math.log2(body.length + 1)));
  if (coding === 'gzip') {
    return promisify<Buffer, ZlibOptions, Buffer>(zlib.gzip)(body, {
      windowBits: Math.min(15, windowBits),
      memLevel: 5,
    });
  }
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  const params = {
    [BROTLI_PARAM_QUALITY]: 5,
    [BROTLI_PARAM_LGWIN]: Math.min(22, windowBits),
    [BROTLI_PARAM_SIZE_HINT]: body.length,
  };
  return promisify<Buffer, BrotliOptions, Buffer>(zlib.brotliCompress)(body, { params });
}

function toAsset(type: string, hash: string, body: Buffer, coding?: Coding): Asset {
  const etag = `"${coding === undefined ? hash : `${hash}-${coding}`}"`;
  const headers: OutgoingHttpHeaders = {
    'Content-Type': type,
    ETag: etag,
    'Cache-Control': 'no-cache',
    Vary: 'Accept-Encoding',
  };
  if (coding !== undefined) headers['Content-Encoding'] = coding;
  return { etag, headers, body };
}
