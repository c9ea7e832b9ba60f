/** What `migrate` shows while it copies: a bar on a terminal, else a line for every tenth. */
import type { Progress, Summary } from './migrate.ts';

/** How often the bar is drawn at most, in milliseconds. */
const DRAW_MS = 100;
const BAR_WIDTH = 30;

/**
 * Makes a shower of progress.
 *
 * @param isTerminal whether a line can be drawn anew
 * @param write takes text
 */
export function createReporter(
  isTerminal: boolean,
  write: (text: string) => void,
): (progress: Progress) => void {
  let drawnMs = Number.NEGATIVE_INFINITY;
  let tenth = 0;
  return (progress) => {
    const { doneBytes, totalBytes } = progress;
    const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
    if (isTerminal) {
      const nowMs = performance.now();
      if (nowMs - drawnMs < DRAW_MS && share < 1) return;
      drawnMs = nowMs;
      write(`\r${toBar(share)}  ${toMegabytes(doneBytes)} of ${toMegabytes(totalBytes)} MB\x1b[K`);
      if (share === 1) write('\n');
    } else if (Math.floor(share * 10) > tenth) {
      tenth = Math.floor(share * 10);
      write(`chat: ${tenth * 10} %, ${toMegabytes(doneBytes)} of ${toMegabytes(totalBytes)} MB\n`);
    }
  };
}

/** Says what became of a copy, one line for each room that was refused and one for all. */
export function showSummary({ rooms, copiedBytes, refused }: Summary): string {
  const lines = refused.map(
    ({ room, reason }) => `chat: left the target's room ${JSON.stringify(room)}: ${reason}\n`,
  );
  const good = rooms - refused.length;
  lines.push(
    `chat: ${good} of ${rooms} rooms are the same now; ${copiedBytes} bytes were copied\n`,
  );
  return lines.join('');
}

function toBar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${percent} %`;
}

function toMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
