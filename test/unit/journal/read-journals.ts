// Reads the records of all journals of a folder.
import { closeSync, openSync } from 'node:fs';
import { realDisk } from '../../../lib/disk/disk.ts';
import type { JournalRecord } from '../../../lib/journal/record.ts';
import { findJournals, readRecords } from '../../../lib/journal/recover.ts';

/** Reads them in the order of the files' names. */
export function readJournals(folder: string): JournalRecord[] {
  return findJournals(folder, realDisk).flatMap(({ file }) => {
    const fd = openSync(file, 'r');
    try {
      return readRecords(fd, realDisk);
    } finally {
      closeSync(fd);
    }
  });
}
