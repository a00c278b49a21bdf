/** The supervisors that serve a pool, as they show themselves in Redis. */
import { type PoolKeys, type Presence, parsePresence, type RedisLink } from '@poolmq/shared'

/** The hosts whose presence has not lapsed. */
export async function liveHosts(link: RedisLink, keys: PoolKeys): Promise<Presence[]> {
  const now = Date.now()
  const records = await link.client.hvals(keys.hosts)
  return records.map((text) => parsePresence(text, now)).filter((host) => host !== undefined)
}
