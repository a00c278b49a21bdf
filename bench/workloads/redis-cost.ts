/** What an item costs Redis: commands, and bytes in and out. */
import { Redis } from 'ioredis'
import type { Arena } from '../harness/arena.js'
import type { Job } from '../harness/job.js'
import type { Peer } from '../harness/peer.js'
import { compareRow, type Row } from '../harness/row.js'
import type { Workload } from '../harness/workload.js'
import { bullmqEvents, celery, ioredisFloor, poolmq } from '../peers/index.js'

export const redisCost: Workload = {
  name: 'redis-cost',
  title: 'Redis commands and bytes an item, map of identities',
  async run(arena, size) {
    const redis = new Redis(arena.redisUrl)
    try {
      const rows: Row[] = []
      for (const [chunk, full] of [
        [1, 2000],
        [100, 100_000],
      ] as const) {
        const job: MapJob = { op: 'map', items: size === 'full' ? full : 100, chunk }
        const ours = await costs(arena, redis, poolmq, job)
        if ('absent' in ours) throw new Error(`PoolMQ itself failed: ${ours.absent}`)
        for (const peer of [bullmqEvents, celery, ioredisFloor]) {
          const theirs = await costs(arena, redis, peer, job)
          for (const figure of ['commands', 'bytes'] as const) {
            rows.push(
              compareRow({
                ...{ workload: this.name, measure: `chunk ${chunk}`, unit: `${figure}/item`, ours: [ours[figure]] },
                ...{ peer: peer.name, theirs: 'absent' in theirs ? theirs : [theirs[figure]] },
              }),
            )
          }
        }
      }
      return rows
    } finally {
      redis.disconnect()
    }
  },
}

type MapJob = Extract<Job, { op: 'map' }>

interface Counts {
  readonly commands: number
  readonly bytes: number
}

/** Counted once: it does not vary with time. Commands that scripts call count as well: they are what Redis does. */
async function costs(arena: Arena, redis: Redis, peer: Peer, job: MapJob): Promise<Counts | { absent: string }> {
  try {
    const contestant = await arena.contestant(peer)
    await contestant.run({ ...job, items: Math.ceil(job.items / 10) })
    const before = await counts(redis)
    await contestant.run(job)
    const after = await counts(redis)
    return {
      commands: (after.commands - before.commands) / job.items,
      bytes: (after.bytes - before.bytes) / job.items,
    }
  } catch (error) {
    return { absent: error instanceof Error ? error.message : String(error) }
  } finally {
    await arena.close()
  }
}

async function counts(redis: Redis): Promise<Counts> {
  const [stats, commands] = await Promise.all([redis.info('stats'), redis.info('commandstats')])
  const stat = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(stats)?.[1] ?? Number.NaN)
  let calls = 0
  for (const [, name = '', count] of commands.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)) {
    if (!name.startsWith('info')) calls += Number(count)
  }
  return { commands: calls, bytes: stat('total_net_input_bytes') + stat('total_net_output_bytes') }
}
