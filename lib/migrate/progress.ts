/** What `migrate` prints: while it copies, a bar on a terminal or else a line for every tenth; then a summary. */
import type { OnProgress, Summary } from './migrate.ts';

/** The bar is drawn at most this often. */
const DRAW_MS = 100;
const BAR_WIDTH = 30;

/**
 * Makes a function that prints progress.
 *
 * @param isTerminal whether a line can be overwritten
 * @param write takes text
 */
export function createReporter(isTerminal: boolean, write: (text: string) => void): OnProgress {
  let drawnMs = Number.NEGATIVE_INFINITY;
  let tenths = 0;
  return ({ doneBytes, totalBytes }) => {
    const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
    const amount = `${toMegabytes(doneBytes)} of ${toMegabytes(totalBytes)} MB`;
    if (isTerminal) {
      const nowMs = performance.now();
      if (nowMs - drawnMs < DRAW_MS && share < 1) return;
      drawnMs = nowMs;
      write(`\r${toBar(share)}  ${amount}\x1b[K${share === 1 ? '\n' : ''}`);
    } else if (Math.floor(share * 10) > tenths) {
      tenths = Math.floor(share * 10);
      write(`chat: ${tenths * 10} %, ${amount}\n`);
    }
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

function toBar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${percent} %`;
}

function toMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
