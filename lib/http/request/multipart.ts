/** `multipart/form-data`, parsed by hand (RFC 7578 on RFC 2046 §5.1). */
import { ServiceError } from '../../errors.ts';
import { parseMediaType } from './negotiate.ts';
import type { Fields } from './urlencoded.ts';

const CRLF = '\r\n';

/**
 * Parses a form.
 *
 * @param body the bytes as sent
 * @param boundary the boundary parameter of the content type
 * @returns names and values, also those of files; what is not UTF-8 is U+FFFD
 * @throws ServiceError `bad-request` if the body is malformed
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
  const name = findName(part.toString('utf8', 0, headEnd));
  if (name === undefined) return [];
  return [[name, part.toString('utf8', headEnd + (isBare ? 2 : 4))]];
}

function findName(head: string): string | undefined {
  const disposition = /^content-disposition[ \t]*:[ \t]*form-data[ \t]*(;[^\r\n]*)$/im.exec(head);
  // The parameters follow the rules of a media type's.
  return disposition === null
    ? undefined
    : parseMediaType(`form/data${toAscii(disposition[1]!)}`)?.parameters.get('name');
}

/** Only the field's name counts; a file's name may contain any character. */
function toAscii(parameters: string): string {
  return parameters.replace(/filename\*=[^;]*/gi, 'x=x');
}

function toFault(text: string): ServiceError {
  return new ServiceError('bad-request', `${text}; send a form with username and message`);
}
