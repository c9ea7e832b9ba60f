/** The fields of a form, in whichever type of body they come: their text is UTF-8 (contract §4). */
import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../../errors.ts';
import type { MediaType } from './negotiate.ts';

/** A form's fields in the order in which they came. */
export type Fields = [name: string, value: string][];

/** The names of a message's fields. The handed-out clients send `msg` for `message`. */
export const FIELD_NAMES: readonly string[] = ['username', 'message', 'msg'];

/** Decodes a field; throws a ServiceError `bad-request` if its name or value is not UTF-8. */
export function decodeField(name: Buffer, value: Buffer): [name: string, value: string] {
  const decoded = decodeText(name, 'the name of a field');
  return [decoded, decodeText(value, FIELD_NAMES.includes(decoded) ? decoded : 'a field')];
}

/** Decodes a text; throws a ServiceError `bad-request` that names it if it is not UTF-8. */
export function decodeText(bytes: Buffer, what: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new ServiceError('bad-request', `${what} is not UTF-8; send text as UTF-8`);
}

/** Throws a ServiceError `media-type` if a content type has a `charset` that is not UTF-8. */
export function checkCharset(media: MediaType | undefined): void {
  const charset = media?.parameters.get('charset');
  if (charset === undefined || /^utf-?8$/i.test(charset)) return;
  throw new ServiceError('media-type', 'the charset is not utf-8; send text as UTF-8');
}
