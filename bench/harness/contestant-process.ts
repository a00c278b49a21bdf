/** The contestant's end of the line, for those written in TypeScript: opens a player, then does one job a line. */
import { createInterface } from 'node:readline'
import type { Answer, Job, Op, Setup } from './job.js'

type JobOf<O extends Op> = Extract<Job, { op: O }>

/** Does a job and checks its result. What it does before `run` is called, and after it has resolved, is not timed. */
export type Player = { readonly [O in Op]?: (job: JobOf<O>, clock: Clock) => Promise<void> } & {
  close(): Promise<void>
}

/** Takes the time of the part of a job that counts. */
export class Clock {
  #seconds: number | undefined
  #latencies: number[] | undefined
  /** Items that were done. */
  done: number | undefined

  /** Times this once; its result comes back to be checked. */
  async time<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    const result = await work()
    this.#seconds = (performance.now() - start) / 1000
    return result
  }

  /** Times so many calls, one after the other. */
  async timeEach(calls: number, call: (i: number) => Promise<unknown>): Promise<void> {
    const latencies = new Array<number>(calls)
    await this.time(async () => {
      for (let i = 0; i < calls; i++) {
        const start = performance.now()
        const result = await call(i)
        latencies[i] = performance.now() - start
        check(result === i, `the identity of ${i} is ${String(result)}`)
      }
    })
    this.#latencies = latencies
  }

  get answer(): Answer {
    if (this.#seconds === undefined) throw new Error('a job that took no time')
    return {
      seconds: this.#seconds,
      ...(this.#latencies && { latencies: this.#latencies }),
      ...(this.done !== undefined && { done: this.done }),
      // Node.js and getrusage give it in KiB, also on macOS.
      peakRss: process.resourceUsage().maxRSS * 1024,
    }
  }
}

/** @throws Error when a contestant gives a wrong result: a fast wrong answer is no figure. */
export function check(right: boolean, what: string): void {
  if (!right) throw new Error(`wrong result: ${what}`)
}

/** Checks the identities of 0, 1, … n - 1. */
export function checkIdentities(results: ArrayLike<unknown>, items: number): void {
  check(results.length === items, `${results.length} results for ${items} items`)
  for (const i of [0, items >> 1, items - 1]) check(results[i] === i, `the identity of ${i} is ${String(results[i])}`)
}

export async function serveJobs(open: (setup: Setup) => Promise<Player>): Promise<void> {
  const player = await open(JSON.parse(process.argv[2] ?? '{}') as Setup)
  say({ ops: Object.keys(player).filter((key) => key !== 'close') })
  for await (const line of createInterface(process.stdin)) {
    const job = JSON.parse(line) as Job
    try {
      const clock = new Clock()
      await (player[job.op] as (job: Job, clock: Clock) => Promise<void>)(job, clock)
      say(clock.answer)
    } catch (error) {
      say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
  await player.close()
  process.exit(0)
}

function say(record: object): void {
  process.stdout.write(`${JSON.stringify(record)}\n`)
}
