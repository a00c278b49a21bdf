/** Removes what a client leaves behind in Redis when its pool ends. */
import { PoolKeys, queueKeySuffixes, type RedisLink } from '@poolmq/shared'
import { type ChunkQueue, sweepPool } from '@poolmq/worker'

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
  const all = [keys.hosts, keys.clients, ...[...counted, ...others].map((suffix) => keys.chunk(suffix))]
  if (isPrivate) {
    const active = await link.client.lrange(keys.chunk('active'), 0, -1)
    await link.client.del(...all, ...active.flatMap((id) => [keys.chunk(id), keys.chunk(`${id}:lock`)]))
  } else {
    await sweepPool(link.client, all, Date.now())
  }
}
