/** The time zone in which this process writes the times of lines. */
import fs from 'node:fs';

/** UTC, as the image and most servers have it. */
const UTC_NAME = /^(?:Etc\/)?(?:UTC|GMT)$/;

/**
 * Finds the zone in which `Date` writes. Asks `Intl` only if nothing else can tell: that loads 8 MB of
 * ICU data.
 *
 * @param asked what `TZ` says; `undefined` for the system's zone
 * @param link the system's link to its zone
 * @returns an IANA name; `undefined` if `Date` does not write in the zone that was asked for
 */
export function findTimeZone(
  asked: string | undefined,
  link = '/etc/localtime',
): string | undefined {
  if (asked !== undefined) return UTC_NAME.test(asked) || isWrittenIn(asked) ? asked : undefined;
  const linked = readZoneName(link);
  // Date takes a zone that it does not know for UTC.
  if (linked !== undefined && (UTC_NAME.test(linked) || !isWrittenInUtc())) return linked;
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return timeZone === undefined || timeZone === 'Etc/Unknown' ? 'UTC' : timeZone;
}

function readZoneName(link: string): string | undefined {
  try {
    return /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(fs.realpathSync(link))?.[1];
  } catch {
    return undefined;
  }
}

function isWrittenInUtc(): boolean {
  return getWinterAndSummer().every((moment) => moment.getTimezoneOffset() === 0);
}

/**
 * Compares a zone's clock with that of `Date`. For a name in the wrong case and for an offset such as
 * `+02:00`, `Date` writes UTC without a warning, though `Intl` accepts both.
 */
function isWrittenIn(timeZone: string): boolean {
  if (/^[+-]/.test(timeZone)) return false;
  try {
    const clock = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'short' });
    const toOwnTime = (moment: Date): string => moment.toTimeString().slice(0, 5);
    return getWinterAndSummer().every((moment) => clock.format(moment) === toOwnTime(moment));
  } catch {
    return false;
  }
}

function getWinterAndSummer(): Date[] {
  const year = new Date().getUTCFullYear();
  return [new Date(Date.UTC(year, 0, 1)), new Date(Date.UTC(year, 6, 1))];
}
