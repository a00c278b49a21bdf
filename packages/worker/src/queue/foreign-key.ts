/**
 * Finds the key of a pool that somebody else has made: Redis says only that one of all the keys of a script is of a wrong type.
 */
import { type PoolKeys, ProtocolError } from '@poolmq/shared'
import type { Client } from './script.js'

const queueTypes: Readonly<Record<string, string>> = {
  wait: 'list',
  active: 'list',
  elders: 'list',
  prioritized: 'zset',
  delayed: 'zset',
  marker: 'zset',
  meta: 'hash',
  suspects: 'hash',
  shares: 'hash',
  costs: 'hash',
  idle: 'hash',
  id: 'string',
  pc: 'string',
  events: 'stream',
}

/**
 * The error that names a key of another type than ours; undefined when there is none.
 *
 * @param clientId - whose own keys are looked at as well
 */
export async function findForeignKey(
  client: Client,
  keys: PoolKeys,
  clientId?: string,
): Promise<ProtocolError | undefined> {
  const types = new Map(Object.entries(queueTypes).map(([suffix, type]) => [keys.chunk(suffix), type]))
  types
    .set(keys.clients, 'zset')
    .set(keys.stops, 'zset')
    .set(keys.hosts, 'hash')
    .set(keys.orders, 'hash')
    .set(keys.durables, 'set')
  if (clientId !== undefined) {
    types.set(keys.results(clientId), 'stream').set(keys.spec(clientId), 'string').set(keys.outcomes(clientId), 'set')
  }
  const pipeline = client.pipeline()
  for (const key of types.keys()) pipeline.type(key)
  const replies = (await pipeline.exec()) ?? []
  for (const [i, [key, type]] of [...types].entries()) {
    const [error, found] = replies[i] ?? []
    if (error != null || found === undefined || found === 'none' || found === type) continue
    return new ProtocolError(
      `the key ${key} in Redis is a ${found}, and the pool's own is a ${type}: another program uses this name. Delete the key, ` +
        'or give the pool another name or another Redis',
    )
  }
  return undefined
}
