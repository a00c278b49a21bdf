/**
 * Where the second copy of a chunk may run, which is there as the first has run for long: not in the process that has the
 * first in hand, and on another host than that one where there is one that knows the task.
 */
import { type ChunkId, formatChunkId, type PoolKeys, type RedisLink, versionsOf } from '@poolmq/shared'
import { isOfHost } from '../line/process-token.js'
import { liveHosts } from '../queue/presence.js'

export interface CopiedTask {
  readonly taskId: string
  readonly version?: string | undefined
}

/** @param token - of this process */
export async function mayRunCopy(
  link: RedisLink,
  keys: PoolKeys,
  token: string,
  { clientId, call, index }: ChunkId,
  { taskId, version }: CopiedTask,
): Promise<boolean> {
  const holder = await link.client.get(keys.chunk(`${formatChunkId(clientId, call, index)}:lock`))
  // It has ended, or was given back: this may be the only one that runs.
  if (holder === null) return true
  if (holder === token) return false
  if (!isOfHost(holder, token)) return true
  const others = (await liveHosts(link, keys)).filter(({ id }) => !isOfHost(id, token))
  return !others.some(
    (host) => host.tasks.includes(taskId) && (version === undefined || versionsOf(host, taskId).includes(version)),
  )
}
