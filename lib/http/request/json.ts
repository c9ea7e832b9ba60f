/** `application/json` (RFC 8259): one object with the fields of a message (contract §4). */
import { ServiceError } from '../../errors.ts';
import { decodeText, FIELD_NAMES, type Fields } from './fields.ts';

const RIGHT = 'send {"username":"omri","message":"hi"}';

/**
 * Parses an object.
 *
 * @returns the fields of a message alone; of a repeated name the last
 * @throws ServiceError `bad-request` if it is not an object in UTF-8 whose fields are strings
 */
export function parseJson(body: Buffer): Fields {
  const fields: Fields = [];
  for (const [name, value] of Object.entries(parseObject(decodeText(body, 'the JSON')))) {
    if (!FIELD_NAMES.includes(name)) continue;
    if (typeof value !== 'string') throw toFault(`${name} is not a string`);
    fields.push([name, value]);
  }
  return fields;
}

function parseObject(text: string): object {
  let value: unknown;
  try {
    // RFC 8259 §8.1: a byte order mark may be ignored. Windows programs write one.
    value = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    throw toFault('the body is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw toFault('the JSON is not an object');
}

function toFault(text: string): ServiceError {
  return new ServiceError('bad-request', `${text}; ${RIGHT}`);
}
