/**
 * Orders to kill, as files in a directory that a test and the worker processes of its pool share: whoever renames one carries it
 * out, so each is carried out once.
 */
import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface KillOrder {
  /** The item, by its index in its call. */
  readonly index: number
  /** The id of its task; undefined: any. */
  readonly task: string | undefined
}

interface Known extends KillOrder {
  readonly name: string
  /** Who was killed, once it is done. */
  readonly pid: number | undefined
}

export class KillOrders {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** @param name - its own: letters and digits */
  give(name: string, order: KillOrder): void {
    writeFileSync(join(this.#directory, fileOf({ ...order, name, pid: undefined })), '')
  }

  /** Whether an order is for an item that starts now in this process. Then it is done, and no other process has it. */
  take(task: string, index: number): boolean {
    for (const known of this.#all()) {
      const isMeant = known.pid === undefined && known.index === index && (known.task ?? task) === task
      if (isMeant && this.#claim(known)) return true
    }
    return false
  }

  /** The process that was killed for this order; undefined: none yet. */
  killed(name: string): number | undefined {
    return this.#all().find((known) => known.name === name)?.pid
  }

  #claim(known: Known): boolean {
    try {
      const [from, to] = [known, { ...known, pid: process.pid }].map((one) => join(this.#directory, fileOf(one)))
      renameSync(from as string, to as string)
      return true
    } catch {
      return false // another process was first
    }
  }

  #all(): Known[] {
    return readdirSync(this.#directory).map(orderOf)
  }
}

const fileOf = ({ name, index, task = '*', pid = 0 }: Known) => [name, index, task, pid].join('@')

function orderOf(file: string): Known {
  const [name = '', index, task, pid] = file.split('@')
  return {
    name,
    index: Number(index),
    task: task === '*' ? undefined : task,
    pid: Number(pid) === 0 ? undefined : Number(pid),
  }
}
