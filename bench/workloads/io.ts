/**
 * Work that waits: many tasks at a time on two worker threads or processes, against one thread a task (CPython's ThreadPool) and
 * one event loop (p-map). Each measurement in a process of its own, from nothing: PoolMQ starts a Redis of its own for it.
 */
import type { Arena } from '../harness/arena.js'
import { Contestant } from '../harness/contestant.js'
import type { Setup } from '../harness/job.js'
import type { Peer } from '../harness/peer.js'
import { watchFamily } from '../harness/process-family.js'
import { compareRow, type Goal, ownRow, type Row } from '../harness/row.js'
import type { Workload } from '../harness/workload.js'
import { waiting } from '../peers/index.js'

interface Figures {
  readonly seconds: number[]
  /** Milliseconds from opening a pool to its first result. */
  readonly first: number[]
  /** MiB. */
  readonly memory: number[]
}

type Played = Figures | { readonly absent: string }

interface Player {
  readonly label: string
  readonly peer: Peer
  readonly setup: Setup
}

const threads = 'ThreadPool'
const processes = 'Pool of 2 processes'

export const io: Workload = {
  name: 'io',
  title: '10 n waits of 100 ms, n at a time on 2 threads or processes, chunks of 1',
  async run(arena, size) {
    const [sizes, milliseconds] = size === 'full' ? ([[50, 200, 1000], 100] as const) : ([[4], 10] as const)
    const rows: Row[] = []
    for (const lanes of sizes) {
      const played = await play(arena, playersOf(lanes), 10 * lanes, milliseconds)
      const ours = (label: string) => {
        const figures = played.get(label)
        if (figures === undefined || 'absent' in figures) throw new Error(`PoolMQ itself failed: ${figures?.absent}`)
        return figures
      }
      for (const own of [threads, processes]) {
        for (const peer of ['cpython', 'bullmq', 'p-map']) {
          const goal = peer === 'cpython' ? { atMost: 1.1 } : undefined
          rows.push(rowOf(`${own}, n = ${lanes}`, 's', ours(own).seconds, peer, played, 'seconds', goal))
        }
        const goal = lanes === 200 ? { goal: { atMost: 300 } } : {}
        const measure = `${own}, n = ${lanes}, PSS of all`
        rows.push(ownRow({ workload: this.name, measure, unit: 'MiB', ours: ours(own).memory, ...goal }))
      }
      const goal = lanes === 200 ? { atMost: 1.2 } : undefined
      const first = `ThreadPool(${lanes}), first result`
      rows.push(rowOf(first, 'ms', ours(threads).first, 'ThreadPool(2)', played, 'first', goal))
      rows.push(rowOf(first, 'ms', ours(threads).first, 'cpython', played, 'first'))
    }
    return rows
  },
}

function playersOf(lanes: number): Player[] {
  const setup: Setup = { processes: 2, concurrency: lanes / 2 }
  return [
    { label: threads, peer: waiting.poolmq, setup: { ...setup, threads: true } },
    { label: processes, peer: waiting.poolmq, setup },
    { label: 'ThreadPool(2)', peer: waiting.poolmq, setup: { processes: 2, threads: true } },
    { label: 'cpython', peer: waiting.cpython, setup },
    { label: 'bullmq', peer: waiting.bullmq, setup },
    { label: 'p-map', peer: waiting.pMap, setup },
  ]
}

function rowOf(
  measure: string,
  unit: string,
  ours: readonly number[],
  peer: string,
  played: ReadonlyMap<string, Played>,
  figure: keyof Figures,
  goal?: Goal,
): Row {
  const figures = played.get(peer) ?? { absent: 'it did not play' }
  const theirs = 'absent' in figures ? figures : figures[figure]
  return compareRow({ workload: io.name, measure, unit, ours, peer, theirs, ...(goal && { goal }) })
}

async function play(
  arena: Arena,
  players: readonly Player[],
  items: number,
  milliseconds: number,
): Promise<Map<string, Played>> {
  const played = new Map<string, Played>()
  for (let round = 0; round < arena.rounds; round++) {
    for (const player of players) {
      const figures = played.get(player.label) ?? { seconds: [], first: [], memory: [] }
      if ('absent' in figures) continue
      try {
        const isLarge = player.label !== 'ThreadPool(2)'
        await playOnce(arena, player, isLarge ? items : 0, milliseconds, figures)
        played.set(player.label, figures)
      } catch (error) {
        const absent = error instanceof Error ? error.message : String(error)
        arena.say(`${player.label}: ${absent}`)
        played.set(player.label, { absent })
      }
    }
  }
  return played
}

/** @param items - 0: only the first result is asked for */
async function playOnce(arena: Arena, { peer, setup }: Player, items: number, milliseconds: number, figures: Figures) {
  const missing = peer.missing() ?? arena.leavesOut(peer)
  if (missing !== undefined) throw new Error(missing)
  const redisUrl = peer === waiting.poolmq ? '' : arena.redisUrl
  const contestant = await Contestant.open({ ...peer.command(setup), env: { REDIS_URL: redisUrl } })
  try {
    figures.first.push((await contestant.run({ op: 'first', items: 1 })).seconds * 1000)
    if (items === 0) return
    // A turn that does not count, as all contestants have one: it compiles the code.
    await contestant.run({ op: 'wait', items: items / 10, milliseconds })
    const watch = watchFamily(contestant.pid)
    try {
      figures.seconds.push((await contestant.run({ op: 'wait', items, milliseconds })).seconds)
    } finally {
      figures.memory.push(watch.stop() / 2 ** 20)
    }
  } finally {
    await contestant.close()
  }
}
