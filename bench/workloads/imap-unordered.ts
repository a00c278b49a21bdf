/** `imapUnordered` with nothing set, against `imap_unordered` with nothing set. */
import type { Workload } from '../harness/workload.js'
import { cpython, poolmq } from '../peers/index.js'
import { compareRates } from './rates.js'

export const imapUnordered: Workload = {
  name: 'imap-unordered',
  title: 'imapUnordered of 100,000 identities, nothing set',
  run(arena, size) {
    const job = { op: 'imapUnordered', items: size === 'full' ? 100_000 : 500 } as const
    return compareRates(arena, {
      ...{ workload: this.name, measure: 'rate', unit: 'items/s' },
      ours: { label: 'poolmq', peer: poolmq, job },
      rivals: [
        { label: 'cpython', peer: cpython, job, goal: { atLeast: 5 } },
        { label: 'cpython, chunksize 100', peer: cpython, job: { ...job, chunk: 100 } },
      ],
    })
  },
}
