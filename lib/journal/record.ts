/**
 * The bytes of a journal: headers and frames of records. Integers are little-endian.
 *
 *     file    = header header *frame            ; each begins at a multiple of SECTOR_BYTES
 *     header  = "chat-journal 1" LF counter " " generation " " boot " " device LF checksum LF *NUL
 *     frame   = magic(4) length(4) generation(8) checksum(16) payload *NUL
 *     payload = *record                         ; `length` bytes
 *     record  = nameLength(2) beforeLength(4) bytesLength(4) ino(8) birth(8) offset(8) stamp(8)
 *               name before bytes
 */
import { createHash } from 'node:crypto';

/** Whatever is written begins at a multiple of this, so that it never touches a durable sector. */
export const SECTOR_BYTES = 512;

/** The offset of the first frame: behind the two headers. */
export const FIRST_FRAME_BYTES = 2 * SECTOR_BYTES;

/** What was appended to one room's file at one time. */
export interface JournalRecord {
  /** The room's file name without its ending. */
  readonly name: string;
  /** Which file it was: its inode number and its time of birth, in milliseconds. */
  readonly ino: number;
  readonly birthtimeMs: number;
  /** Where the bytes begin in the file. */
  readonly offset: number;
  /** What stands in the file before them: it shows at replay whether they still fit. */
  readonly before: Buffer;
  /** Orders the records of all processes of a host: nanoseconds of its monotonic clock. */
  readonly stamp: bigint;
  /** What was appended. If it is empty, the file was truncated to `offset`. */
  readonly bytes: Buffer;
}

/** Where a journal was written. */
export interface Origin {
  /** The boot of the host, an id that changes with each boot. */
  readonly boot: string;
  /** The device that the folder is on. */
  readonly device: number;
}

/** A journal's state, as one of its two headers has it. */
export interface Header extends Origin {
  /** The header with the higher counter counts. */
  readonly counter: number;
  /** 16 hex digits; frames of another generation are left over from earlier use. */
  readonly generation: string;
}

const TITLE = 'chat-journal 1';
const MAGIC = 0x314a4843;
const FRAME_HEAD_BYTES = 32;
const RECORD_HEAD_BYTES = 42;

/** Formats a header; the result fills one sector. */
export function encodeHeader({ counter, generation, boot, device }: Header): Buffer {
  const text = `${TITLE}\n${counter} ${generation} ${boot} ${device}\n`;
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.write(`${text}${digest(text).toString('hex')}\n`, 'latin1');
  return sector;
}

/** @returns `undefined` if the sector is not a whole header */
export function decodeHeader(sector: Buffer): Header | undefined {
  const match = /^(chat-journal 1\n(\d+) ([0-9a-f]{16}) (\S+) (\d+)\n)([0-9a-f]{32})\n/.exec(
    sector.toString('latin1', 0, SECTOR_BYTES),
  );
  if (match === null) return undefined;
  const [, text, counter, generation, boot, device, checksum] = match as unknown as string[];
  if (digest(text!).toString('hex') !== checksum) return undefined;
  return { counter: Number(counter), generation: generation!, boot: boot!, device: Number(device) };
}

/** Formats records as one frame; the result fills whole sectors. */
export function encodeFrame(generation: string, records: readonly JournalRecord[]): Buffer {
  const payloadBytes = records.reduce((sum, record) => sum + countBytes(record), 0);
  const frame = Buffer.alloc(toSectors(FRAME_HEAD_BYTES + payloadBytes));
  let at = FRAME_HEAD_BYTES;
  for (const record of records) at = writeRecord(frame, at, record);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt32LE(payloadBytes, 4);
  frame.write(generation, 8, 'hex');
  digestFrame(frame, payloadBytes).copy(frame, 16);
  return frame;
}

/**
 * Reads the frame that begins at an offset.
 *
 * @returns its records and the offset after it; `undefined` if no whole frame of the generation is there
 */
export function decodeFrame(
  journal: Buffer,
  offset: number,
  generation: string,
): { records: JournalRecord[]; end: number } | undefined {
  if (offset + FRAME_HEAD_BYTES > journal.length) return undefined;
  if (journal.readUInt32LE(offset) !== MAGIC) return undefined;
  if (journal.toString('hex', offset + 8, offset + 16) !== generation) return undefined;
  const payloadBytes = journal.readUInt32LE(offset + 4);
  const payloadEnd = offset + FRAME_HEAD_BYTES + payloadBytes;
  if (payloadEnd > journal.length) return undefined;
  const frame = journal.subarray(offset, payloadEnd);
  if (!digestFrame(frame, payloadBytes).equals(frame.subarray(16, 32))) return undefined;
  const records: JournalRecord[] = [];
  for (let at = FRAME_HEAD_BYTES; at < frame.length; ) {
    const record = readRecord(frame, at);
    records.push(record);
    at += countBytes(record);
  }
  return { records, end: offset + toSectors(payloadEnd - offset) };
}

/** Rounds a length up to whole sectors. */
function toSectors(lengthBytes: number): number {
  return Math.ceil(lengthBytes / SECTOR_BYTES) * SECTOR_BYTES;
}

function countBytes({ name, before, bytes }: JournalRecord): number {
  return RECORD_HEAD_BYTES + Buffer.byteLength(name, 'latin1') + before.length + bytes.length;
}

function writeRecord(into: Buffer, at: number, record: JournalRecord): number {
  const { name, ino, birthtimeMs, offset, stamp, before, bytes } = record;
  const nameAt = at + RECORD_HEAD_BYTES;
  const beforeAt = nameAt + into.write(name, nameAt, 'latin1');
  const bytesAt = beforeAt + before.copy(into, beforeAt);
  into.writeUInt16LE(beforeAt - nameAt, at);
  into.writeUInt32LE(before.length, at + 2);
  into.writeUInt32LE(bytes.length, at + 6);
  into.writeDoubleLE(ino, at + 10);
  into.writeDoubleLE(birthtimeMs, at + 18);
  into.writeDoubleLE(offset, at + 26);
  into.writeBigUInt64LE(stamp, at + 34);
  return bytesAt + bytes.copy(into, bytesAt);
}

function readRecord(frame: Buffer, at: number): JournalRecord {
  const nameAt = at + RECORD_HEAD_BYTES;
  const beforeAt = nameAt + frame.readUInt16LE(at);
  const bytesAt = beforeAt + frame.readUInt32LE(at + 2);
  return {
    name: frame.toString('latin1', nameAt, beforeAt),
    ino: frame.readDoubleLE(at + 10),
    birthtimeMs: frame.readDoubleLE(at + 18),
    offset: frame.readDoubleLE(at + 26),
    stamp: frame.readBigUInt64LE(at + 34),
    before: frame.subarray(beforeAt, bytesAt),
    bytes: frame.subarray(bytesAt, bytesAt + frame.readUInt32LE(at + 6)),
  };
}

/** The checksum of a frame: over its length, its generation and its payload. */
function digestFrame(frame: Buffer, payloadBytes: number): Buffer {
  const payload = frame.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + payloadBytes);
  return digest(frame.subarray(4, 16), payload);
}

/** 16 bytes of SHA-256: as quick as a checksum in JavaScript, and no accident forges it. */
function digest(...parts: (string | Buffer)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest().subarray(0, 16);
}
