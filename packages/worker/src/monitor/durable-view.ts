/** Durable calls as onlookers see them, with nobody attached too: what has ended of them is read from Redis. */
import { chunksOf, isDurableId, type PoolKeys, type RedisLink } from '@poolmq/shared'
import { DurableStore, openDurables } from '../queue/durable-store.js'
import type { CallInfo } from './pool-view.js'

/** Those that have not ended. */
export async function durableCalls(link: RedisLink, keys: PoolKeys): Promise<CallInfo[]> {
  const calls: CallInfo[] = []
  for (const store of await openDurables(link, keys)) {
    const view = await store.look()
    if (view?.state !== 'open') continue
    const { head, run, done, failures, age } = view
    const { key, task, form, items, chunkSize, host, pid } = head
    const ended = Math.min(items, done * chunkSize)
    calls.push({
      id: `${store.id}.${run}`,
      client: store.id,
      host,
      pid,
      durable: key,
      number: run,
      method: `${form}Async`,
      task,
      done: ended,
      failures,
      total: items,
      pending: chunksOf(head) - done,
      age,
    })
  }
  return calls
}

/** Cancels the run of a durable call; undefined when it is none, false when it is not open. */
export async function cancelDurable(
  link: RedisLink,
  keys: PoolKeys,
  client: string,
  run: number,
): Promise<boolean | undefined> {
  if (!isDurableId(client)) return undefined
  const store = new DurableStore(link, keys, client)
  return (await store.look())?.run === run && (await store.cancel())
}
