/** Watches, a few times a second, the memory of Redis and of the processes below a contestant. */
import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Redis } from 'ioredis'

const interval = 200

export interface MemoryPeak {
  /** `used_memory` of Redis, in bytes. */
  readonly redis: number
  /** The largest process below the contestant, in bytes. */
  readonly worker: number
}

export function watchMemory(redis: Redis, pid: number): { stop(): Promise<MemoryPeak> } {
  let stopped = false
  let peak: MemoryPeak = { redis: 0, worker: 0 }
  const watching = (async () => {
    while (!stopped) {
      const [used, worker] = await Promise.all([usedMemory(redis), largestBelow(pid)])
      peak = { redis: Math.max(peak.redis, used), worker: Math.max(peak.worker, worker) }
      await delay(interval)
    }
    return peak
  })()
  return {
    stop: () => {
      stopped = true
      return watching
    },
  }
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? Number.NaN)
}

/** The resident memory of the largest descendant, in bytes; 0 where there is no `ps`. */
async function largestBelow(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,rss=']).catch(() => ({ stdout: '' }))
  const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  const family = new Set([pid])
  let largest = 0
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const [child = 0, parent = 0, kilobytes = 0] of processes) {
      if (!family.has(parent)) continue
      family.add(child)
      largest = Math.max(largest, kilobytes * 1024)
    }
  }
  return largest
}
