/**
 * What a worker process and a worker thread do alike: load the modules, connect, run the initializer of their own pool,
 * then take chunks when told to. Ends with exit code 0 when drained, 1 when it cannot go on.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  Deferred,
  encodeError,
  findTask,
  InitializerError,
  isDefined,
  isWrongType,
  PoolKeys,
  RedisLink,
  type TaskFunction,
  taskIds,
  taskVersions,
  within,
} from '@poolmq/shared'
import { HandWriter, shownMemory, tallyStart } from '../line/hand.js'
import type { EagerSpec, Heir, Preparation, SupervisorChannel, ToWorker, WorkerConfig } from '../line/messages.js'
import { unpackDescriptor } from '../line/packed-descriptor.js'
import { SharedFiles } from '../line/shared-files.js'
import { TallyWriter } from '../line/tally.js'
import { ChunkQueue } from '../queue/chunk-queue.js'
import { ChunkStore } from '../queue/chunk-store.js'
import { findForeignKey } from '../queue/foreign-key.js'
import { PieceStore } from '../queue/piece-store.js'
import { ChunkLoop } from './chunk-loop.js'
import { Initializer, InitializerFailure } from './initializer.js'
import { insistence } from './insistence.js'
import { LastWords } from './last-words.js'
import { LoopClock } from './loop-clock.js'
import { TaskModules } from './module-loader.js'
import { RunObserver } from './run-observer.js'
import { SharedValueCache } from './shared-values.js'

/**
 * How often, 50 ms apart, it is looked for a module that a local Pool has just begun to use and that is on its way. Looks
 * and not time, as a pause of this process is none of the module's delay.
 */
const loadLooks = 60
/** The same for a task that names no such module: what it is made from is loaded, unless another call is just naming it. */
const unmarkedLooks = 10

/** Says on standard error what Redis refuses; the logger is loaded when there is something to say. */
function logFailure(pool: string, error: unknown): void {
  void import('../logger.js')
    .then(({ createLogger }) =>
      createLogger('worker', { pool }).warn({ err: error }, 'Redis did not do what was asked; trying again'),
    )
    .catch(() => undefined) // there is no room to load it
}

export class WorkerBody {
  readonly #channel: SupervisorChannel
  readonly #go = new Deferred<Heir | undefined>()
  readonly #modules = new TaskModules((url) => this.#prepare('module', url))
  #nextLoad = new Deferred()
  #loop: ChunkLoop | undefined
  #initializer: Initializer | undefined
  /** Lanes that may be used. */
  #lanes = 0
  #observer: RunObserver | undefined
  #isObserved = false
  #ending = false
  /** Started, and not told to take chunks yet. */
  #waiting = false

  constructor(channel: SupervisorChannel) {
    const lastWords = new LastWords(channel.send)
    const exit = (code: number) => {
      lastWords.keep()
      channel.exit(code)
    }
    this.#channel = { ...channel, exit }
    channel.onMessage((message) => this.#hear(message))
  }

  #hear(message: ToWorker): void {
    switch (message.type) {
      case 'config':
        this.#run(message.config).catch((error: unknown) => this.#fail(error))
        break
      case 'go':
        this.#lanes = message.lanes
        this.#loop?.open(message.lanes)
        this.#go.resolve(message.heir)
        break
      case 'load':
        this.#modules.load(message.modules)
        this.#nextLoad.resolve()
        this.#nextLoad = new Deferred()
        break
      case 'initializer':
        this.#initializer?.note(message.state)
        break
      case 'drain':
        this.drain(message.heir)
        break
      case 'cancel':
        this.#loop?.cancel(message.jobId)
        break
      case 'observe':
        this.#isObserved = true
        this.#observer?.startTally()
        break
      case 'disown':
        this.#ending = true
        this.#loop?.disown(message.jobId)
        break
      case 'stop':
        this.stop()
        break
    }
  }

  /** Finish what is in hand, then exit. */
  drain(heir = false): void {
    this.#ending = true
    // A process that is still starting ends when it has started: its initializer runs, as Python's does.
    if (this.#loop?.drain(heir) === true || this.#waiting) this.#channel.exit(0)
  }

  /** Exit as soon as the running tasks let it; the supervisor sets the limit. */
  stop(): void {
    this.#ending = true
    if (this.#loop === undefined || this.#loop.abort()) this.#channel.exit(0)
  }

  async #run(config: WorkerConfig): Promise<void> {
    const keys = new PoolKeys(config.pool)
    const [link] = await Promise.all([
      RedisLink.open(unpackDescriptor(config.connection)),
      this.#modules.start(config.modules),
    ])
    this.#channel.send({ type: 'loaded' })
    this.#modules.load(config.late)
    const { lanes, lockDuration, sharers } = config
    const queue = new ChunkQueue(link, keys, { lockDuration, blocking: true, lanes, sharers })
    const pieces = new PieceStore(link, keys)
    const log = (error: unknown) => {
      const named = isWrongType(error) ? findForeignKey(link.client, keys).catch(() => error) : Promise.resolve(error)
      void named.then((found) => logFailure(config.pool, found ?? error))
    }
    const files = new SharedFiles(config.shared)
    const shared = new SharedValueCache({ pieces, files, insist: insistence(log), log })
    const initializer = new Initializer(
      link,
      keys,
      shared,
      config.initializers,
      (clientId, key) => this.#channel.send({ type: 'initialized', clientId, key }),
      (task) => this.#prepare('initializer', task),
    )
    this.#initializer = initializer
    const { eager } = config
    if (eager !== undefined) await runEagerly(initializer, eager)
    this.#channel.send({ type: 'ready', tasks: taskIds(), versions: taskVersions() })
    if (this.#ending) this.#channel.exit(0)
    this.#waiting = true
    const heir = await this.#go.promise
    this.#waiting = false
    if (this.#ending) return
    const { pool, token } = config
    const memory = shownMemory(config.hand, lanes)
    const hand = new HandWriter(memory, lanes)
    this.#observer = new RunObserver(
      pool,
      new TallyWriter(memory, tallyStart(lanes)),
      this.#isObserved || config.observed,
    )
    this.#loop = new ChunkLoop({
      pool,
      token,
      longestWait: lockDuration / 2,
      queue,
      store: new ChunkStore(link, keys, lockDuration),
      pieces,
      shared,
      link,
      keys,
      initializer,
      channel: this.#channel,
      lanes,
      sharers,
      hand,
      observer: this.#observer,
      clock: new LoopClock(lanes > 1 ? () => hand.beat() : undefined),
      findTask: (taskId, clientId, { module, version }) => {
        const isOwn = clientId === config.client
        const mark = isOwn ? module : undefined
        // Nearly always it is there, and nothing is waited for.
        const task = this.#modules.isLoaded(mark) ? findTask(taskId, mark, version) : undefined
        return task ?? (isOwn ? this.#findOwnTask(taskId, mark, version) : this.#findTask(taskId, config, version))
      },
      log,
    })
    if (eager !== undefined) this.#loop.limit(eager.spec)
    this.#loop.open(this.#lanes)
    await this.#loop.run(heir)
    this.#channel.exit(0)
  }

  /**
   * A local Pool may define tasks after it has started its worker processes, or define them anew: their module is on its
   * way then, and is waited for. Other workers know from the beginning what they will ever know. A task that is there in
   * another version is another host's.
   */
  async #findTask(taskId: string, { client }: WorkerConfig, version?: string): Promise<TaskFunction | undefined> {
    for (let looks = 0; ; looks++, await within(50, this.#nextLoad.promise)) {
      await this.#modules.settled()
      const task = findTask(taskId, undefined, version)
      if (task !== undefined || client === undefined || looks === loadLooks || isDefined(taskId)) return task
    }
  }

  /**
   * The task of a call of the Pool whose own this process is: it was told of every module that can define it.
   *
   * @param module - the mark of the module that is meant, when the id alone does not say it
   * @throws ModuleError when that module does not load.
   */
  async #findOwnTask(taskId: string, module?: string, version?: string): Promise<TaskFunction | undefined> {
    for (let looks = 0; ; looks++, await within(50, this.#nextLoad.promise)) {
      await this.#modules.settled()
      const isThere = module === undefined || (await this.#modules.has(module))
      const task = findTask(taskId, module, version)
      const failure = task === undefined ? await this.#modules.failure() : undefined
      if (failure !== undefined) throw failure
      const isOther = module === undefined && isDefined(taskId)
      const most = isOther ? looks : module === undefined ? unmarkedLooks : loadLooks
      if ((isThere && task !== undefined) || looks === most) return task
    }
  }

  #prepare(what: Preparation['what'], name: string | undefined): void {
    this.#channel.send({ type: 'preparing', ...(name !== undefined && { preparation: { what, name } }) })
  }

  #fail(error: unknown): void {
    if (error instanceof InitializerFailure) {
      const { clientId, key, began, reason } = error
      this.#channel.send({ type: 'initializer-failed', clientId, key, began, error: encodeError(reason) })
    } else {
      this.#channel.send({ type: 'failed', error: encodeError(error) })
    }
    this.#channel.exit(1)
  }
}

/** The initializer of the Pool whose own this process is. While it rests after failures, this process is not ready. */
async function runEagerly(initializer: Initializer, { clientId, spec }: EagerSpec): Promise<void> {
  try {
    for (;;) {
      const fitness = await initializer.ensure(clientId, spec)
      if (fitness?.fit !== 'later') return
      await delay(fitness.milliseconds)
    }
  } catch (error) {
    if (!(error instanceof InitializerError)) throw error // else every chunk of the Pool is told
  }
}
