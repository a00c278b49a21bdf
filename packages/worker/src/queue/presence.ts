/** The supervisors that serve a pool, as they show themselves in Redis, by Redis's clock. */
import { formatPresence, type PoolKeys, type Presence, parsePresence, type RedisLink } from '@poolmq/shared'
import { presences, showPresence } from './pool-scripts.js'

/** The hosts whose presence has not lapsed. */
export async function liveHosts(link: RedisLink, keys: PoolKeys): Promise<Presence[]> {
  const { now, records } = await presences(link.client, [keys.hosts], [])
  return records.map((text) => parsePresence(text, now)).filter((host) => host !== undefined)
}

/** Shows a supervisor for so many milliseconds. */
export async function showHost(
  link: RedisLink,
  keys: PoolKeys,
  id: string,
  presence: Omit<Presence, 'expires'>,
  milliseconds: number,
): Promise<void> {
  await showPresence(link.client, [keys.hosts], [id, formatPresence(presence), milliseconds])
}
