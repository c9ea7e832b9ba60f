/** The time zone in which this process writes the times of lines. */

/** UTC, as the image and most servers have it. */
const UTC_NAME = /^(?:Etc\/)?(?:UTC|GMT)$/;

/**
 * Finds the zone in which `Date` writes. Asks `Intl` for every zone but UTC: that loads 8 MB of ICU data.
 *
 * @param asked what `TZ` says; `undefined` for the system's zone
 * @returns an IANA name; `undefined` if `Date` does not write in the zone that was asked for
 */
export function findTimeZone(asked: string | undefined): string | undefined {
  if (asked !== undefined) return UTC_NAME.test(asked) || isWrittenIn(asked) ? asked : undefined;
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return timeZone === undefined || timeZone === 'Etc/Unknown' ? 'UTC' : timeZone;
}

/**
 * Compares a zone's clock with that of `Date`, in winter and in summer. For a name in the wrong case and
 * for an offset such as `+02:00`, `Date` writes UTC without a warning, though `Intl` accepts both.
 */
function isWrittenIn(timeZone: string): boolean {
  if (/^[+-]/.test(timeZone)) return false;
  try {
    const clock = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'short' });
    const year = new Date().getUTCFullYear();
    const moments = [new Date(Date.UTC(year, 0, 1)), new Date(Date.UTC(year, 6, 1))];
    return moments.every((moment) => clock.format(moment) === moment.toTimeString().slice(0, 5));
  } catch {
    return false;
  }
}
