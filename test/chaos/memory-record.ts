/** What the client and the supervisors take of memory, round by round, and whether it grows. */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Fleet } from './fleet.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** MiB that may come and go. */
const slack = 40

export class MemoryRecord {
  readonly #client: number[] = []
  /** By supervisor, as each restart begins anew. */
  readonly #supervisors = new Map<number, number[]>()

  note(fleet: Fleet): void {
    collectGarbage()
    this.#client.push(mebibytes(process.memoryUsage().heapUsed))
    for (const { pid } of fleet.hosts) {
      const sizes = this.#supervisors.get(pid) ?? []
      this.#supervisors.set(pid, sizes)
      const size = residentSize(pid)
      if (size !== undefined) sizes.push(size)
    }
  }

  get last(): string {
    return this.all.map((sizes) => sizes.split(' ').at(-1)).join(' ')
  }

  get all(): string[] {
    const client = `client: ${this.#client.join(' ')}`
    return [client, ...[...this.#supervisors].map(([pid, sizes]) => `supervisor ${pid}: ${sizes.join(' ')}`)]
  }

  /** Those whose later half takes more than their earlier one and what may come and go. */
  get growth(): string[] {
    const series = [['client', this.#client] as const, ...this.#supervisors]
    return series.filter(([, sizes]) => grows(sizes)).map(([name, sizes]) => `${name}: ${sizes.join(' ')}`)
  }
}

function grows(sizes: readonly number[]): boolean {
  if (sizes.length < 6) return false
  const half = Math.floor(sizes.length / 2)
  return Math.min(...sizes.slice(half)) > Math.max(...sizes.slice(1, half)) + slack
}

function residentSize(pid: number): number | undefined {
  try {
    const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]
    return mebibytes(Number(pages) * 4096)
  } catch {
    return undefined // it has ended
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)
