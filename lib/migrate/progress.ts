/** What `migrate` prints: a line for every tenth of the copy, and a summary. */
import type { OnProgress, Summary } from './migrate.ts';

/**
 * Makes a function that prints progress.
 *
 * @param write takes text
 */
export function createReporter(write: (text: string) => void): OnProgress {
  let shownTenths = 0;
  return (doneBytes, totalBytes) => {
    const tenths = Math.floor((doneBytes / totalBytes) * 10);
    if (tenths === shownTenths) return;
    shownTenths = tenths;
    write(`chat: ${tenths * 10} %, ${toMegabytes(doneBytes)} of ${toMegabytes(totalBytes)} MB\n`);
  };
}

/** Sums up a copy: one line for each room that was refused, and one for all. */
export function showSummary({ rooms, copiedBytes, refused }: Summary): string {
  const lines = refused.map(
    ({ room, reason }) => `chat: left the target's room ${JSON.stringify(room)}: ${reason}\n`,
  );
  const same = `${rooms - refused.length} of ${rooms} rooms are the same now`;
  return `${lines.join('')}chat: ${same}; ${copiedBytes} bytes were copied\n`;
}

function toMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
