/** The supervisors that serve a pool, as they show themselves in Redis, by Redis's clock. */
import { formatPresence, type PoolKeys, type Presence, parsePresence, type RedisLink } from '@poolmq/shared'
import { presences, showPresence } from './pool-scripts.js'

/** A supervisor that serves a pool. */
export interface LiveHost extends Presence {
  /** The supervisor's id. */
  readonly id: string
}

/** The hosts whose presence has not lapsed. */
export async function liveHosts(link: RedisLink, keys: PoolKeys): Promise<LiveHost[]> {
  const { now, records } = await presences(link.client, [keys.hosts], [])
  return [...records].flatMap(([id, text]) => {
    const presence = parsePresence(text, now)
    return presence === undefined ? [] : [{ id, ...presence }]
  })
}

/** Shows a supervisor for so many milliseconds. */
export async function showHost(
  link: RedisLink,
  keys: PoolKeys,
  id: string,
  presence: Omit<Presence, 'expires' | 'at'>,
  milliseconds: number,
): Promise<void> {
  await showPresence(link.client, [keys.hosts], [id, formatPresence(presence), milliseconds])
}
