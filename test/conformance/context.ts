/** What a case works with. It owns the pools the case makes and ends them; the shared pool it only lends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool, ThreadPool } from '@poolmq/client'
import { tasks } from '../fixtures/dist/conformance-tasks.js'
import { Latch, Log } from './latch.js'

/** The classes that the table is run against. ThreadPool has the same surface. */
export type Kind = 'Pool' | 'ThreadPool'
export type AnyPool = Pool
export type MakeOptions = ConstructorParameters<typeof Pool>[0]

export const classes: Readonly<Record<Kind, new (options?: MakeOptions) => AnyPool>> = { Pool, ThreadPool }

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
    const pool = new classes[this.kind](options)
    this.#made.push(pool)
    return pool
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

  /** `String(pool)` without the name of the kind, as CPython's `repr` without its module. */
  textOf(pool: AnyPool): string {
    return String(pool).replace(`<${this.kind} `, '<Pool ')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#made.map((pool) => pool.terminate()))
    rmSync(this.directory, { recursive: true, force: true })
  }
}
