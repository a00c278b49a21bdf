/** What a case works with. It owns the pools the case makes and ends them; the shared pool it only lends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool, ThreadPool } from '@poolmq/client'
import { InlinePool } from '@poolmq/client/testing'
import { tasks } from '../fixtures/dist/conformance-tasks.js'
import { Latch, Log } from './latch.js'

/** What the table is run against: all have the same surface, also a Pool of which each worker has eight lanes. */
export type Kind = 'Pool' | 'ThreadPool' | 'Pool with lanes' | 'InlinePool'
export type AnyPool = Pool
export type MakeOptions = ConstructorParameters<typeof Pool>[0]

const lanes = 8

/** A wrong argument stays as it is. */
function withLanes(options: MakeOptions): MakeOptions {
  if (typeof options === 'number' || options === undefined) return { processes: options, concurrency: lanes }
  return typeof options === 'object' ? { concurrency: lanes, ...options } : options
}

const makers: Readonly<Record<Kind, (options?: MakeOptions) => AnyPool>> = {
  Pool: (options) => new Pool(options),
  ThreadPool: (options) => new ThreadPool(options),
  'Pool with lanes': (options) => new Pool(withLanes(options)),
  InlinePool: (options) => new InlinePool(options),
}

export const makePool = (kind: Kind, options?: MakeOptions): AnyPool => makers[kind](options)

export class Context {
  readonly kind: Kind
  readonly tasks = tasks
  /** Exists, and is removed with the case. */
  readonly directory = mkdtempSync(join(tmpdir(), 'conformance-'))
  readonly #lend: () => AnyPool
  readonly #made: AnyPool[] = []
  #borrowed = false

  constructor(kind: Kind, lend: () => AnyPool) {
    this.kind = kind
    this.#lend = lend
  }

  /** The pool of four workers that all cases share, as CPython's test classes do. */
  get pool(): AnyPool {
    this.#borrowed = true
    return this.#lend()
  }

  get borrowed(): boolean {
    return this.#borrowed
  }

  /** A pool of the case's own, of the kind under test. */
  makePool(options?: MakeOptions): AnyPool {
    const pool = makePool(this.kind, options)
    this.#made.push(pool)
    return pool
  }

  /** A pool that runs so many tasks at a time, of whatever workers. */
  atATime(tasks: number, options: object = {}): AnyPool {
    if (this.kind !== 'Pool with lanes') return this.makePool({ processes: tasks, ...options })
    return this.makePool({ processes: 1, concurrency: tasks, ...options })
  }

  /** What a program that imports all of them writes to make a pool of the kind under test. */
  sourceOf(processes: number): string {
    const options = this.kind === 'Pool with lanes' ? { processes, concurrency: lanes } : { processes }
    return `new ${this.kind === 'Pool with lanes' ? 'Pool' : this.kind}(${JSON.stringify(options)})`
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  latch(name = 'go'): Latch {
    return new Latch(this.path(name))
  }

  log(name = 'log'): Log {
    return new Log(this.path(name))
  }

  /** `String(pool)` without the name of the kind, as CPython's `repr` without its module; its size in worker processes. */
  textOf(pool: AnyPool): string {
    const count = (size: string) => `pool_size=${Number(size) / (this.kind === 'Pool with lanes' ? lanes : 1)}`
    return String(pool)
      .replace(/^<\w+ /, '<Pool ')
      .replace(/pool_size=(\d+)/, (_, size: string) => count(size))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#made.map((pool) => pool.terminate()))
    rmSync(this.directory, { recursive: true, force: true })
  }
}
