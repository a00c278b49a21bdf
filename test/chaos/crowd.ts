/**
 * A crowd: several named pools with several producers each, on machines that serve all of them, over one Redis. Processes,
 * supervisors and machines are stopped for a while, as a suspended one is, and killed, several at a time; each producer's
 * calls must all be answered, and rightly.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallReport, PlannedCall, ProducerPlan } from '../fixtures/dist/crowd-producer.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { TemporaryDirectory } from '../support/redis-process.js'
import { until } from '../support/until.js'
import { durable } from './fleet.js'
import type { Random } from './random.js'
import { RedisServer } from './redis-server.js'
import { sendSignal, WorkerHost } from './worker-host.js'

export interface CrowdOptions {
  readonly redisProgram: string
  readonly random: Random
  /** Milliseconds for which calls are made and faults inflicted. */
  readonly duration: number
  /** Calls that a producer has open at a time. */
  readonly lanes: number
  /** Milliseconds. @defaultValue the command's own */
  readonly lease?: number | undefined
  /** Milliseconds that a process is stopped for, from and to. */
  readonly stillness: readonly [least: number, most: number]
  /** Milliseconds between two faults, from and to. */
  readonly pace: readonly [least: number, most: number]
  /** Milliseconds within which all calls must have been answered once nothing stands still any more. */
  readonly limit: number
  /** Names of faults. @defaultValue all */
  readonly faults?: readonly CrowdFault[] | undefined
}

export interface CrowdReport {
  readonly inflicted: readonly string[]
  readonly calls: readonly CallReport[]
  /** What is wrong; empty when nothing is. */
  readonly wrong: readonly string[]
}

const pools = 2
const producersOfPool = 2
const machines = 2

export const crowdFaults = [
  'stopWorker',
  'stopSupervisor',
  'stopMachine',
  'stopProducer',
  'killWorker',
  'killSupervisor',
  'killMachine',
] as const
export type CrowdFault = (typeof crowdFaults)[number]

export class Crowd implements AsyncDisposable {
  readonly #options: CrowdOptions
  readonly #redis: RedisServer
  readonly #directory = new TemporaryDirectory('crowd')
  /** A supervisor for each pool on each of them. */
  readonly #machines: WorkerHost[][] = []
  readonly #producers: ProgramRun[] = []
  readonly #inflicted: string[] = []
  readonly #wrong: string[] = []
  readonly #thaws = new Set<Promise<void>>()

  private constructor(options: CrowdOptions, redis: RedisServer) {
    this.#options = options
    this.#redis = redis
  }

  static async start(options: CrowdOptions): Promise<Crowd> {
    const { redisProgram, lease = 10_000, random, duration, lanes } = options
    const crowd = new Crowd(options, await RedisServer.start(redisProgram, durable))
    const names = Array.from({ length: pools }, () => uniqueName('crowd'))
    for (let i = 0; i < machines; i++) {
      const given = { redis: crowd.#redis.url, lease, tasks: 'crowd-tasks' }
      crowd.#machines.push(names.map((pool) => new WorkerHost({ ...given, pool })))
    }
    await Promise.all(crowd.#supervisors.map((host) => host.serves()))
    for (const pool of names) {
      for (let i = 0; i < producersOfPool; i++) {
        const plan = planFor(pool, `producer-${i}`, random, duration, lanes)
        const file = join(crowd.#directory.path, `${pool}-${i}.json`)
        writeFileSync(file, JSON.stringify(plan))
        crowd.#producers.push(new ProgramRun([fixture('crowd-producer'), crowd.#redis.url, file]))
      }
    }
    return crowd
  }

  /** Inflicts faults for the time given, then waits for the answers. */
  async run(): Promise<CrowdReport> {
    const { duration, pace, random, limit } = this.#options
    const end = performance.now() + duration
    while (performance.now() < end) {
      await sleep(random.between(...pace))
      await this.#revive()
      await this.#inflict(random.pick(this.#options.faults ?? crowdFaults))
      await this.#lookForLasting()
    }
    await Promise.all(this.#thaws)
    await this.#revive()
    await Promise.all(this.#producers.map((producer) => this.#answered(producer, limit)))
    await this.#lookForLasting()
    const calls = this.#producers.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean).map(parseReport))
    for (const { call, method, wrong } of calls) if (wrong !== '') this.#wrong.push(`call ${call}, ${method}: ${wrong}`)
    return { inflicted: this.#inflicted, calls, wrong: this.#wrong }
  }

  /** What the supervisors and producers have said on standard error. */
  get complaints(): string {
    return [...this.#supervisors.map((host) => host.complaints), ...this.#producers.map(({ stderr }) => stderr)]
      .map((text) => text.slice(-6000))
      .join('\n---\n')
  }

  get #supervisors(): WorkerHost[] {
    return this.#machines.flat()
  }

  async #inflict(fault: CrowdFault): Promise<void> {
    const { random } = this.#options
    const machine = random.pick(this.#machines)
    const host = random.pick(machine)
    switch (fault) {
      case 'stopWorker':
        if (host.workers.length > 0) this.#stop(fault, [random.pick(host.workers)])
        break
      case 'stopSupervisor':
        this.#stop(fault, [host.pid])
        break
      case 'stopMachine':
        this.#stop(
          fault,
          machine.flatMap((one) => [one.pid, ...one.workers]),
        )
        break
      case 'stopProducer':
        this.#stop(fault, [random.pick(this.#producers).pid])
        break
      case 'killWorker':
        this.#inflicted.push(fault)
        if (host.workers.length > 0) sendSignal(random.pick(host.workers), 'SIGKILL')
        break
      case 'killSupervisor':
        this.#inflicted.push(fault)
        host.signal('SIGKILL')
        break
      case 'killMachine':
        this.#inflicted.push(fault)
        for (const one of machine) one.kill()
        break
    }
  }

  #stop(fault: CrowdFault, pids: readonly number[]): void {
    const time = this.#options.random.between(...this.#options.stillness)
    this.#inflicted.push(`${fault} for ${time} ms`)
    for (const pid of pids) sendSignal(pid, 'SIGSTOP')
    const thaw = sleep(time).then(() => {
      for (const pid of pids) sendSignal(pid, 'SIGCONT')
      this.#thaws.delete(thaw)
    })
    this.#thaws.add(thaw)
  }

  /** Starts the supervisors again that have ended, as a service manager does. */
  async #revive(): Promise<void> {
    await Promise.all(this.#supervisors.filter((host) => !host.processes.has(host.pid)).map((host) => host.restart()))
  }

  /** Whatever died when: each key has an end. */
  async #lookForLasting(): Promise<void> {
    const lives = Object.entries(await this.#redis.lives())
    for (const [key, life] of lives) if (life < 0) this.#wrong.push(`${key} has no time to live`)
  }

  async #answered(producer: ProgramRun, limit: number): Promise<void> {
    const code = await producer.exit(limit).catch(async () => {
      producer.kill('SIGUSR2')
      await producer.says('open: ').catch(() => undefined)
      return 'no answer'
    })
    if (code === 0) return
    this.#wrong.push(`a producer: ${code}; ${producer.stderr.slice(-2000)}`)
    this.#wrong.push(await this.#whereabouts())
  }

  /** What Redis has, for a call without an answer. */
  async #whereabouts(): Promise<string> {
    const show = `local t = {} for _, key in ipairs(redis.call('KEYS', '*')) do
      local type, found = redis.call('TYPE', key).ok, ''
      if type == 'list' then found = redis.call('LRANGE', key, 0, 20)
      elseif type == 'zset' then found = redis.call('ZRANGE', key, 0, 20, 'WITHSCORES')
      elseif type == 'string' then found = string.sub(redis.call('GET', key), 1, 100)
      elseif type == 'hash' then found = {} for i, part in ipairs(redis.call('HGETALL', key)) do found[i] = string.sub(part, 1, 200) end
      elseif type == 'stream' then found = redis.call('XLEN', key) end
      t[#t + 1] = { key, redis.call('PTTL', key), found } end return cjson.encode(t)`
    return String(await this.#redis.ask('EVAL', show, 0))
  }

  /** Ends the hosts, and tells the keys that are left when what has a time to live has outlived it. */
  async keysLeft(): Promise<string[]> {
    for (const host of this.#supervisors) host.signal('SIGTERM')
    await Promise.all(this.#supervisors.map((host) => host.exit()))
    const keys = () => this.#redis.keys()
    await until('all keys are gone', keys, (names) => names.length === 0, 65_000).catch(() => undefined)
    return await keys()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#supervisors, ...this.#producers].map((one) => one[Symbol.asyncDispose]()))
    await this.#redis[Symbol.asyncDispose]()
    this.#directory[Symbol.dispose]()
  }
}

const parseReport = (line: string): CallReport => JSON.parse(line) as CallReport

function planFor(pool: string, client: string, random: Random, duration: number, lanes: number): ProducerPlan {
  const methods = [
    'map',
    'imap',
    'imapUnordered',
    'applies',
    'applies',
    'flaky',
    'payloads',
    'shared',
    'durable',
    'cancelled',
    'late',
  ] as const
  const call = (): PlannedCall => ({
    method: random.pick(methods),
    items: random.between(5, 60),
    chunkSize: random.between(1, 8),
    time: random.between(5, 150),
    priorities: Array.from({ length: 20 }, () => random.between(0, 1000)),
    length: random.between(1_000_000, 5_000_000),
  })
  const maxTasksPerChild = random.pick([undefined, 20, 50])
  const maxBytes = random.pick([undefined, 2 ** 21, Number.MAX_SAFE_INTEGER])
  const share = random.pick([undefined, { key: 'team' }, { weight: 0.1 }, { weight: 10 }])
  return {
    pool,
    client,
    duration,
    lanes,
    ...(maxTasksPerChild !== undefined && { maxTasksPerChild }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(share !== undefined && { share }),
    calls: Array.from({ length: 200 }, call),
  }
}
