/** From `new Pool(2)` to the first result: each measurement in a process of its own. */
import { fileURLToPath } from 'node:url'
import { runOnce } from '../harness/contestant.js'
import { compareRow } from '../harness/row.js'
import type { Workload } from '../harness/workload.js'
import { cpython } from '../peers/index.js'

const compiled = (name: string) => fileURLToPath(new URL(`../start-up/${name}.js`, import.meta.url))

export const startUp: Workload = {
  name: 'start-up',
  title: 'from new Pool(2) to the first result, Redis running',
  async run(arena, size) {
    const rounds = size === 'full' ? arena.rounds * 2 : 1
    const env = { REDIS_URL: arena.redisUrl }
    const node = (name: string) => ({ program: process.execPath, args: [compiled(name)], env })
    const python = {
      ...cpython.command({ processes: 2 }),
      args: [fileURLToPath(new URL('../../start-up/cpython.py', import.meta.url))],
    }
    const missing = cpython.missing()
    const [ours, bare, theirs]: [number[], number[], number[]] = [[], [], []]
    for (let round = 0; round < rounds; round++) {
      ours.push((await runOnce(node('poolmq'))).seconds * 1000)
      bare.push((await runOnce(node('bullmq'))).seconds * 1000)
      if (missing === undefined) theirs.push((await runOnce(python)).seconds * 1000)
    }
    const row = { workload: this.name, measure: 'time to first result', unit: 'ms', ours }
    return [
      compareRow({ ...row, peer: 'two forks with a BullMQ Worker each', theirs: bare, goal: { atMost: 1.3 } }),
      compareRow({ ...row, peer: 'cpython', theirs: missing === undefined ? theirs : { absent: missing } }),
    ]
  },
}
