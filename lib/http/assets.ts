/** The front end: read once at start, with its headers and its compressed forms. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import path from 'node:path';
import zlib from 'node:zlib';
import { pickCoding } from './negotiate.ts';

/** The most that a front end may weigh, in bytes. */
export const MAX_ASSETS_BYTES = 64 << 20;

/** The most files that a front end may have. */
export const MAX_ASSETS = 2000;

/** The page that every room shows. */
export const PAGE = 'index.html';

const CODINGS = ['br', 'gzip'] as const;

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
  readonly #files = new Map<string, readonly Asset[]>();

  /**
   * Reads a front end.
   *
   * @param folder an absolute path
   * @throws Error, with one line for the operator, where it is no front end or past the limits
   */
  constructor(folder: string) {
    let sizeBytes = 0;
    for (const file of listFiles(folder)) {
      const body = fs.readFileSync(path.join(folder, file));
      sizeBytes += body.length;
      if (sizeBytes > MAX_ASSETS_BYTES || this.#files.size >= MAX_ASSETS) {
        throw new Error(`${folder} is too large for a front end: ${MAX_ASSETS} files, 64 MiB`);
      }
      this.#files.set(file.split(path.sep).join('/'), toForms(file, body));
    }
    if (!this.#files.has(PAGE)) throw new Error(`${folder} has no ${PAGE}`);
  }

  /**
   * Finds a file in the form that the client likes best.
   *
   * @param file its path below the folder
   */
  find(file: string, headers: IncomingHttpHeaders): Asset | undefined {
    const forms = this.#files.get(file);
    if (forms === undefined) return undefined;
    const codings = CODINGS.filter((_, index) => forms[index + 1] !== undefined);
    const coding = pickCoding(headers['accept-encoding'], codings);
    return forms[coding === undefined ? 0 : CODINGS.indexOf(coding) + 1];
  }
}

function listFiles(folder: string): string[] {
  const entries = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return entries
    .filter((file) => !file.split(path.sep).some((part) => part.startsWith('.')))
    .filter((file) => fs.statSync(path.join(folder, file)).isFile())
    .sort();
}

/** @returns the file as it is, then in each of CODINGS, or no more where that does not make it smaller */
function toForms(file: string, body: Buffer): Asset[] {
  const type = TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 16);
  const forms = [toAsset(type, hash, body, undefined)];
  if (!COMPRESSIBLE.test(type)) return forms;
  const packed = pack(body);
  if (CODINGS.some((coding) => packed[coding].length >= body.length)) return forms;
  return [...forms, ...CODINGS.map((coding) => toAsset(type, hash, packed[coding], coding))];
}

/** Packs with a window as large as the file: the defaults' tables take longer to make than the rest. */
function pack(body: Buffer): Record<(typeof CODINGS)[number], Buffer> {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  const windowBits = Math.max(10, Math.ceil(Math.log2(body.length + 1)));
  const params = {
    [BROTLI_PARAM_QUALITY]: 5,
    [BROTLI_PARAM_LGWIN]: Math.min(22, windowBits),
    [BROTLI_PARAM_SIZE_HINT]: body.length,
  };
  return {
    br: zlib.brotliCompressSync(body, { params }),
    gzip: zlib.gzipSync(body, { windowBits: Math.min(15, windowBits), memLevel: 5 }),
  };
}

function toAsset(type: string, hash: string, body: Buffer, coding: string | undefined): Asset {
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
