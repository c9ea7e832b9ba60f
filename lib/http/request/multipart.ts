/** `multipart/form-data`, parsed by hand (RFC 7578 on RFC 2046 §5.1). */
import { ServiceError } from '../../errors.ts';
import { checkCharset, decodeField, FIELD_NAMES, type Fields } from './fields.ts';
import { parseMediaType } from './negotiate.ts';

const CRLF = '\r\n';

/**
 * Parses a form.
 *
 * @returns names and values; a field of a message may be a file, other files are left out
 * @throws ServiceError `bad-request` if the body is malformed or its text is not UTF-8, `media-type` if
 *   a part says so
 */
export function parseMultipart(body: Buffer, boundary: string | undefined): Fields {
  if (boundary === undefined || !/^[\x20-\x7e]{1,70}$/.test(boundary)) {
    throw toFault('the content type needs a boundary of 1 to 70 characters');
  }
  // A delimiter at the very beginning shares its CRLF with the header.
  const text = Buffer.concat([Buffer.from(CRLF, 'latin1'), body]);
  const delimiter = Buffer.from(`${CRLF}--${boundary}`, 'latin1');
  const fields: Fields = [];
  let at = findDelimiter(text, delimiter, 0);
  while (!text.subarray(at.end, at.end + 2).equals(Buffer.from('--'))) {
    const next = findDelimiter(text, delimiter, at.end);
    const lineEnd = text.indexOf(CRLF, at.end);
    fields.push(...parsePart(text.subarray(lineEnd + 2, Math.max(lineEnd + 2, next.start))));
    at = next;
  }
  return fields;
}

/** A delimiter is followed by `--` at the very end, else by blanks and CRLF. */
function findDelimiter(
  text: Buffer,
  delimiter: Buffer,
  from: number,
): { start: number; end: number } {
  for (let start = from; ; start += 1) {
    start = text.indexOf(delimiter, start);
    if (start === -1) throw toFault('the multipart body has no closing boundary');
    const end = start + delimiter.length;
    if (/^(?:--|[ \t]*\r\n)/.test(text.toString('latin1', end, end + 80))) return { start, end };
  }
}

function parsePart(part: Buffer): Fields {
  // A part without header fields begins with the empty line.
  const isBare = part.indexOf(CRLF) === 0;
  const headEnd = isBare ? 0 : part.indexOf(CRLF + CRLF);
  if (headEnd === -1) throw toFault('a part of the multipart body has no empty line');
  const head = part.toString('latin1', 0, headEnd);
  // The parameters follow the rules of a media type's.
  const parameters = parseMediaType(`form/data${findDisposition(head)}`)?.parameters;
  const name = parameters?.get('name');
  if (name === undefined) return [];
  // A file may have any bytes, and is ignored as every unknown field is.
  if (parameters?.has('filename') && !FIELD_NAMES.includes(name)) return [];
  const type = /^content-type[ \t]*:([^\r\n]*)$/im.exec(head)?.[1];
  if (type !== undefined) checkCharset(parseMediaType(type));
  return [decodeField(Buffer.from(name, 'latin1'), part.subarray(headEnd + (isBare ? 2 : 4)))];
}

/** @returns the parameters of `form-data`, each after a semicolon */
function findDisposition(head: string): string {
  const match = /^content-disposition[ \t]*:[ \t]*form-data[ \t]*(;[^\r\n]*)$/im.exec(head);
  // A file's name of RFC 8187 may have any character in it; only that there is one matters here.
  return match === null ? '' : match[1]!.replace(/filename\*=[^;]*/gi, 'filename=x');
}

function toFault(text: string): ServiceError {
  return new ServiceError('bad-request', `${text}; send a form with username and message`);
}
