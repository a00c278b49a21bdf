/** `imap` over ten million numbers from a generator: what it holds in memory at its peak, and where. */
import { Redis } from 'ioredis'
import { figures } from '../harness/arena.js'
import { watchMemory } from '../harness/memory-watch.js'
import { ownRow } from '../harness/row.js'
import type { Workload } from '../harness/workload.js'
import { poolmq } from '../peers/index.js'

export const imapMemory: Workload = {
  name: 'imap-memory',
  title: 'imap of 10,000,000 numbers from a generator, chunks of 1,000',
  async run(arena, size) {
    const job = { op: 'imap', items: size === 'full' ? 10_000_000 : 20_000, chunk: 1000 } as const
    const redis = new Redis(arena.redisUrl)
    try {
      const client = await arena.contestant(poolmq)
      const watch = watchMemory(redis, client.pid)
      const answers = await arena.play([{ label: 'poolmq', peer: poolmq, job }], 1)
      const peak = await watch.stop()
      const seconds = figures(answers.get('poolmq'), (answer) => answer.seconds)
      const rss = figures(answers.get('poolmq'), (answer) => (answer.peakRss ?? 0) / 2 ** 20)
      if ('absent' in seconds || 'absent' in rss) throw new Error('PoolMQ itself failed')
      const row = (measure: string, unit: string, ours: readonly number[], goal?: { atMost: number }) =>
        ownRow({ workload: this.name, measure, unit, ours, ...(goal && { goal }) })
      return [
        row('client, peak RSS', 'MiB', rss, { atMost: 250 }),
        row('Redis, peak of used_memory', 'MiB', [peak.redis / 2 ** 20], { atMost: 64 }),
        row('a worker process, peak RSS', 'MiB', [peak.worker / 2 ** 20]),
        row(
          'rate',
          'items/s',
          seconds.map((s) => job.items / s),
        ),
      ]
    } finally {
      redis.disconnect()
      await arena.close()
    }
  },
}
