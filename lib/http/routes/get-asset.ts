/** Answers with the page, or with another file of the front end (contract §2). */
import { PAGE } from '../assets.ts';
import { matchesTag } from '../request/conditional.ts';
import type { Route } from '../route.ts';

/** Answers with the page, whatever the room. */
export const sendPage: Route = (parts, target, response, snapshots) =>
  sendAsset(parts, { ...target, argument: PAGE }, response, snapshots);

/** Answers with a file of the front end. */
export const sendAsset: Route = async ({ assets, reply }, { argument: file }, response) => {
  const { headers } = response.req;
  const asset = await assets.find(file, headers['accept-encoding']);
  if (asset === undefined) {
    return reply.text(response, 404, 'there is no such file; the page is at /');
  }
  const { etag, cacheFields, bodyFields, body } = asset;
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && matchesTag(ifNoneMatch, etag, 'weak')) {
    return reply.send(response, 304, cacheFields);
  }
  reply.send(response, 200, cacheFields.concat(bodyFields), body);
};
