/** From `new Pool(2)`, and `new Pool(64)`, to the first result: each measurement in a process of its own; and what a process holds. */

import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Arena } from '../harness/arena.js'
import { runOnce } from '../harness/contestant.js'
import { familyOf, proportionalMemory } from '../harness/process-family.js'
import { compareRow, ownRow, type Row } from '../harness/row.js'
import type { Size, Workload } from '../harness/workload.js'
import { cpython, poolmq } from '../peers/index.js'

const compiled = (name: string) => fileURLToPath(new URL(`../start-up/${name}.js`, import.meta.url))

export const startUp: Workload = {
  name: 'start-up',
  title: 'from new Pool(2) to the first result, Redis running',
  async run(arena, size) {
    const rounds = size === 'full' ? arena.rounds * 2 : 1
    const env = { REDIS_URL: arena.redisUrl }
    const node = (name: string, ...args: readonly string[]) => ({
      ...{ program: process.execPath, args: [compiled(name), ...args], env },
    })
    const most = size === 'full' ? 64 : 4
    const python = {
      ...cpython.command({ processes: 2 }),
      args: [fileURLToPath(new URL('../../start-up/cpython.py', import.meta.url))],
    }
    const missing = cpython.missing()
    const [ours, bare, theirs, many]: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let round = 0; round < rounds; round++) {
      ours.push((await runOnce(node('poolmq'))).seconds * 1000)
      many.push((await runOnce(node('poolmq', String(most)))).seconds * 1000)
      bare.push((await runOnce(node('bullmq'))).seconds * 1000)
      if (missing === undefined) theirs.push((await runOnce(python)).seconds * 1000)
    }
    const row = { workload: this.name, measure: 'time to first result', unit: 'ms', ours }
    return [
      compareRow({ ...row, peer: 'two forks with a BullMQ Worker each', theirs: bare, goal: { atMost: 1.3 } }),
      compareRow({ ...row, peer: 'cpython', theirs: missing === undefined ? theirs : { absent: missing } }),
      compareRow({
        ...{ ...row, measure: `Pool(${most}), time to first result`, ours: many },
        ...{ peer: 'poolmq, Pool(2)', theirs: ours, goal: { atMost: 1.5 } },
      }),
      await idleMemory(arena, size),
    ]
  },
}

/** What a worker process holds that has run something and has nothing to do. */
async function idleMemory(arena: Arena, size: Size): Promise<Row> {
  const processes = size === 'full' ? 16 : 2
  const row = { workload: startUp.name, measure: `an idle worker process of ${processes}, PSS`, unit: 'MiB' }
  try {
    const pool = await arena.contestant(poolmq, { processes })
    const workers = () => familyOf(pool.pid).filter(({ command }) => command.includes('worker-process'))
    while (workers().length < processes) await delay(100)
    await pool.run({ op: 'map', items: 100 * processes, chunk: 1 })
    await delay(size === 'full' ? 3000 : 0)
    const ours = workers().map(({ pid }) => proportionalMemory([pid]) / 2 ** 20)
    return ownRow({ ...row, ours, goal: { atMost: 40 } })
  } finally {
    await arena.close()
  }
}
