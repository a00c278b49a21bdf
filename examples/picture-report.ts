import Table from 'cli-table3'
import type { Doer, DrawnTile } from './mandelbrot-tasks.js'
import { shadeName } from './picture.js'
import { tally } from './tally.js'

/** What the report is made from. */
export interface Drawing {
  readonly tiles: readonly DrawnTile[]
  /** Of the pool: with its start; and of the same job done in this process. */
  readonly milliseconds: number
  readonly sequentialMilliseconds: number
  readonly victim: Doer | undefined
  readonly isEqual: boolean
}

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`

/** The lines at the end of the demo: what the pool was worth, who has done what, and whether it is right. */
export function pictureReport({ tiles, milliseconds, sequentialMilliseconds, victim, isEqual }: Drawing): string {
  const speedUp = (sequentialMilliseconds / milliseconds).toFixed(2)
  const hosts = [...tally(tiles, ({ host }) => host).keys()]
  const table = new Table({ head: ['host', 'process', 'tiles', 'shade', ''], style: { head: [], border: [] } })
  const workers = tally(tiles, (tile) => JSON.stringify([tile.host, tile.pid]))
  for (const [worker, count] of workers) {
    const [host, pid] = JSON.parse(worker) as [string, number]
    const killed = victim?.host === host && victim.pid === pid
    table.push([host, pid, count, shadeName(hosts.indexOf(host)), killed ? 'killed in mid-run' : ''])
  }
  return [
    `${speedUp} times as fast as one process: ${seconds(milliseconds)} in the pool, ${seconds(sequentialMilliseconds)} sequentially`,
    table.toString(),
    `${tiles.length} tiles by ${workers.size} processes on ${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'}`,
    `The picture equals the sequential one, byte by byte: ${isEqual ? 'yes' : 'NO'}`,
  ].join('\n')
}
