/** The handler of a POST: stores one message. */
import type { ServerResponse } from 'node:http';
import { ServiceError } from '../errors.ts';
import { toEntry } from '../room/message.ts';
import { readForm } from './form.ts';
import { prefersHtml } from './negotiate.ts';
import { isForeign } from './origin.ts';
import { toPagePath, toRoomPath } from './router.ts';
import type { StreamParts } from './stream.ts';
import { TEXT } from './text.ts';

/** Stores the message of a POST (contract §4). */
export async function postMessage(
  { store, live, replier }: StreamParts,
  room: string,
  response: ServerResponse,
): Promise<void> {
  const request = response.req;
  if (isForeign(request.headers)) {
    throw new ServiceError('forbidden', "another site's page sent this; post from this one's");
  }
  const form = await readForm(request, () => {
    if (request.headers.expect !== undefined) response.writeContinue();
  });
  const { entry, fault } = toEntry(form.username, form.message);
  if (fault !== undefined) throw new ServiceError('bad-request', fault);
  const { line, cursor } = await store.append(room, entry);
  live.poke(room);
  const headers = { 'Content-Type': TEXT, 'Chat-Cursor': cursor };
  if (prefersHtml(request.headers.accept)) {
    replier.send(response, 303, { ...headers, Location: toPagePath(room) }, line);
  } else {
    replier.send(response, 201, { ...headers, Location: toRoomPath(room) }, line);
  }
}
