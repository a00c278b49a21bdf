/** Removes what a client leaves behind in Redis when its pool ends. */
import { type PoolKeys, queueKeySuffixes, type RedisLink } from '@poolmq/shared'
import { type ChunkQueue, sweepPool } from '@poolmq/worker'

/** Milliseconds that the order to stop a call's running chunks stands: hosts look every second. */
const stopOrder = 60_000

/** Removes the waiting chunks of a call (`CLIENT.CALL`), and has the running ones stopped on every host. */
export async function stopCall(link: RedisLink, queue: ChunkQueue, keys: PoolKeys, call: string): Promise<void> {
  const now = Date.now()
  await link.client
    .multi()
    .zremrangebyscore(keys.stops, '-inf', now)
    .zadd(keys.stops, now + stopOrder, call)
    .pexpire(keys.stops, stopOrder)
    .exec()
  await queue.dropWaiting(`${call}.`)
}

/**
 * Removes the client's waiting chunks, and the pool's own keys when no host and no other client uses it any more. Of a
 * private pool nothing is kept, as nobody else can use it.
 */
export async function removePool(
  link: RedisLink,
  queue: ChunkQueue,
  keys: PoolKeys,
  clientId: string,
  isPrivate: boolean,
): Promise<void> {
  await queue.dropWaiting(`${clientId}.`)
  const counted = ['wait', 'active', 'prioritized', 'delayed']
  const others = queueKeySuffixes.filter((suffix) => !counted.includes(suffix))
  const queueKeys = [...counted, ...others].map((suffix) => keys.chunk(suffix))
  const all = [keys.hosts, keys.clients, ...queueKeys, keys.stops]
  if (isPrivate) {
    const active = await link.client.lrange(keys.chunk('active'), 0, -1)
    await link.client.del(...all, ...active.flatMap((id) => [keys.chunk(id), keys.chunk(`${id}:lock`)]))
  } else {
    await sweepPool(link.client, all, Date.now())
  }
}
