/** The front end: read once at the start; each compressed form is made when it is first asked for. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { BrotliOptions } from 'node:zlib';
import { pickCoding } from './request/negotiate.ts';
import type { HeaderFields } from './response/reply.ts';

/** The largest front end, in bytes. */
const MAX_ASSETS_BYTES = 64 << 20;

/** How many files a front end has at most, and how many folders. */
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
  /** The header fields of 200 and 304 alike. */
  readonly cacheFields: HeaderFields;
  /** The header fields of the body: its type and its coding. */
  readonly bodyFields: HeaderFields;
  readonly body: Buffer;
}

/** The files of a front end by their path with `/` between folders. */
export class Assets {
  readonly #files = new Map<string, AssetFile>();

  /** Reads a front end. Throws one line for the operator if it is none or is past the limits. */
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

  /** Finds a file, by its path below the folder, in the form that an Accept-Encoding field prefers. */
  async find(file: string, acceptEncoding: string | undefined): Promise<Asset | undefined> {
    return this.#files.get(file)?.choose(acceptEncoding);
  }
}

/** A file with its forms: each compressed one is made once, when a client first asks for it. */
class AssetFile {
  readonly #type: string;
  readonly #hash: string;
  readonly #plain: Asset;
  readonly #compressed = new Map<Coding, Promise<Asset>>();

  constructor(file: string, body: Buffer) {
    this.#type = TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';
    this.#hash = createHash('sha256').update(body).digest('base64url').slice(0, 16);
    this.#plain = toAsset(this.#type, this.#hash, body);
  }

  async choose(acceptEncoding: string | undefined): Promise<Asset> {
    const coding = COMPRESSIBLE.test(this.#type) ? pickCoding(acceptEncoding, CODINGS) : undefined;
    if (coding === undefined) return this.#plain;
    let compressed = this.#compressed.get(coding);
    if (compressed === undefined) {
      compressed = this.#compress(coding);
      this.#compressed.set(coding, compressed);
      // After a failure the next request tries again.
      compressed.catch(() => this.#compressed.delete(coding));
    }
    return compressed;
  }

  /** @returns the file as it is if compressing does not make it smaller */
  async #compress(coding: Coding): Promise<Asset> {
    const body = await compress(this.#plain.body, coding);
    if (body.length >= this.#plain.body.length) return this.#plain;
    return toAsset(this.#type, this.#hash, body, coding);
  }
}

/**
 * Lists the files below a folder but hidden ones. Paths are concatenated by hand: `path.join` for each
 * of them is enough to start V8's optimizing compiler, which takes 3 MB.
 */
function listFiles(folder: string): string[] {
  const files: string[] = [];
  // It grows as folders are found. A link may lead back into one, so their number is limited too.
  const prefixes = [''];
  for (const prefix of prefixes) {
    for (const name of fs.readdirSync(`${folder}/${prefix}`)) {
      const file = prefix + name;
      if (name.startsWith('.')) continue;
      // A link counts as what it leads to; one that leads nowhere is no file.
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

async function compress(body: Buffer, coding: Coding): Promise<Buffer> {
  const { default: zlib } = await import('node:zlib');
  if (coding === 'gzip') return promisify(zlib.gzip)(body);
  // A window no larger than the file: the default's takes three times the memory.
  const windowBits = Math.min(22, Math.max(10, Math.ceil(Math.log2(body.length + 1))));
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN } = zlib.constants;
  const params = { [BROTLI_PARAM_QUALITY]: 5, [BROTLI_PARAM_LGWIN]: windowBits };
  return promisify<Buffer, BrotliOptions, Buffer>(zlib.brotliCompress)(body, { params });
}

function toAsset(type: string, hash: string, body: Buffer, coding?: Coding): Asset {
  const etag = `"${coding === undefined ? hash : `${hash}-${coding}`}"`;
  const cacheFields = ['ETag', etag, 'Cache-Control', 'no-cache', 'Vary', 'Accept-Encoding'];
  const bodyFields = ['Content-Type', type];
  if (coding !== undefined) bodyFields.push('Content-Encoding', coding);
  return { etag, cacheFields, bodyFields, body };
}
