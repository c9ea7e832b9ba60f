/** The time zone of the system that the service runs on. */
import fs from 'node:fs';

/**
 * Finds its name: by the link that most systems have, as asking for it brings in 8 MB of ICU.
 *
 * @param link where that link is; the system's own unless told
 * @returns an IANA name; `Etc/Unknown` where it has none
 */
export function findTimeZone(link = '/etc/localtime'): string {
  try {
    const [, zone] = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(fs.readlinkSync(link)) ?? [];
    if (zone !== undefined) return zone;
  } catch {
    // A copy of the zone's file, or none at all.
  }
  return new Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'Etc/Unknown';
}
