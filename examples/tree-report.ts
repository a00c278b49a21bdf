import Table from 'cli-table3'
import { tally } from './tally.js'
import type { FileDigest } from './tree-tasks.js'

/** A finished run over the files. */
export interface TreeRun {
  readonly digests: readonly FileDigest[]
  readonly milliseconds: number
}

/** How the pool was told to cut and to recycle. */
export interface PoolSettings {
  readonly chunkSize: number
  readonly maxTasksPerChild: number
}

const format = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** The table at the end of the demo. */
export function treeReport(parallel: TreeRun, sequential: TreeRun, settings: PoolSettings): string {
  const hosts = tally(parallel.digests, ({ host }) => host)
  const workers = tally(parallel.digests, ({ host, pid }) => `${pid}${hosts.size > 1 ? `@${host}` : ''}`)
  const table = new Table({
    colAligns: ['left', 'left'],
    colWidths: [18, 78],
    wordWrap: true,
    style: { head: [], border: [] },
  })
  table.push(
    ['files', format.format(parallel.digests.length)],
    [
      'bytes',
      `${format.format(sum(parallel.digests, 'bytes'))}, after brotli ${format.format(sum(parallel.digests, 'compressed'))}`,
    ],
    ['lines', format.format(sum(parallel.digests, 'lines'))],
    ['files/s', `${rate(parallel)} (sequential: ${rate(sequential)})`],
    ['worker hosts', `${hosts.size}: ${[...hosts.keys()].join(', ')}`],
    ['worker pids', `${workers.size}: ${[...workers.keys()].join(', ')}`],
    ['recycled workers', `${recycled(workers.values(), settings)} of ${workers.size}`],
  )
  return table.toString()
}

const sum = (digests: readonly FileDigest[], field: 'bytes' | 'compressed' | 'lines') =>
  digests.reduce((total, digest) => total + digest[field], 0)

const rate = ({ digests, milliseconds }: TreeRun) => format.format((1000 * digests.length) / milliseconds)

/** A worker process is recycled once it has done maxTasksPerChild chunks; all chunks but the last one are full. */
function recycled(filesOfWorkers: Iterable<number>, { chunkSize, maxTasksPerChild }: PoolSettings): number {
  return [...filesOfWorkers].filter((files) => Math.ceil(files / chunkSize) >= maxTasksPerChild).length
}
