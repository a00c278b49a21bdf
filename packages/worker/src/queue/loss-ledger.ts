/**
 * What a chunk's hash tells of the worker processes it has lost, and what follows from it.
 *
 * Only losses count, by cause: a process that died with the chunk in hand (its supervisor notes it, with the item that
 * ran where it knows it), or a lock that lapsed because a whole host died (BullMQ counts it as stalled). A drain, a
 * deploy or `maxTasksPerChild` costs none. A chunk that has lost a process is run with care from then on: which item is
 * next is told before it starts, so that the next loss is laid on one item and not on its neighbours.
 *
 * When a process dies that had several chunks running, nobody knows which of them was to blame. Such a loss makes all of
 * them suspects, and gives none of them up. A suspect for the second time is to run alone in its process, and only losses
 * alone count. So an innocent is never given up, and a guilty item costs two processes in company and three alone: five.
 *
 * | field | meaning |
 * | --- | --- |
 * | `lost` | losses alone in the process, of which the item is not known |
 * | `lost:K` | losses alone, while item K ran |
 * | `shared` | losses beside other chunks |
 * | `lanes` | how many chunks its last worker process may have run at a time; absent: one. For lapses: nobody saw the process die |
 * | `stc` | BullMQ's: times the lock lapsed |
 * | `at` | the item that ran last, written when hosts have been lost, as no supervisor is left to tell |
 * | `seen` | how many of `stc` have been laid on an item, or on the chunk |
 * | `late:K` | item K ran for more than so many milliseconds, and its process had to be ended: it is not run again |
 * | `loss` | the last loss as JSON: pid, host, its build, exit code or signal, and the error that ended the process, where it could tell |
 */
import { decodeError, TaskTimeoutError, type WireError, WorkerLostError } from '@poolmq/shared'

/** Starts that an item gets before it is given up. */
export const maxStarts = 3
/** Losses in company after which a chunk runs alone. */
const mostShared = 2

export interface Loss {
  readonly pid?: number
  readonly host?: string
  readonly build?: string
  readonly exitCode?: number | null
  readonly signal?: string | null
  /** What the process died of, where it could tell. */
  readonly error?: WireError
  /** The task that left this error behind, when it was none of this chunk. */
  readonly culprit?: string
}

export class LossLedger {
  /** Losses that may be any item's. */
  readonly unknown: number
  /** Losses that may be another chunk's. */
  readonly shared: number
  /** To be run with no other chunk in its process. */
  readonly isSuspect: boolean
  /** The chunk has lost a process: tell each item before it starts. */
  readonly careful: boolean
  /** A host was lost: write each item to Redis, as its supervisor may not live to tell. */
  readonly persistent: boolean
  /** Fields to be written back once the new lapses have been laid on an item; empty when there were none. */
  readonly updates: ReadonlyMap<string, string>
  readonly #byItem = new Map<number, number>()
  readonly #late = new Map<number, number>()
  readonly #loss: Loss

  /**
   * @param fields - of the chunk's hash, as they were when it was taken
   * @param lanes - chunks that the process may run beside each other now
   */
  constructor(fields: ReadonlyMap<string, string>, lanes = 1) {
    const count = (field: string) => Number.parseInt(fields.get(field) ?? '0', 10) || 0
    for (const field of fields.keys()) {
      if (field.startsWith('lost:')) this.#byItem.set(Number(field.slice(5)), count(field))
      else if (field.startsWith('late:')) this.#late.set(Number(field.slice(5)), count(field))
    }
    const lapses = count('stc') - count('seen')
    const updates = new Map<string, string>()
    let lost = count('lost')
    let shared = count('shared')
    if (lapses > 0) {
      updates.set('seen', String(count('stc')))
      const at = fields.get('at')
      if (count('lanes') > 1) {
        shared += lapses
        updates.set('shared', String(shared))
      } else if (at === undefined) {
        lost += lapses
        updates.set('lost', String(lost))
      } else {
        const losses = (this.#byItem.get(Number(at)) ?? 0) + lapses
        this.#byItem.set(Number(at), losses)
        updates.set(`lost:${at}`, String(losses))
      }
    }
    this.shared = shared
    this.isSuspect = shared >= mostShared
    // Alone from now on, whatever its last process was: the next lapse is its own.
    if (lanes === 1 ? count('lanes') > 1 : this.isSuspect) updates.set('lanes', '1')
    this.updates = updates
    this.unknown = lost
    this.careful = lost + shared > 0 || this.#byItem.size > 0 || this.#late.size > 0
    this.persistent = count('stc') > 0
    this.#loss = parseLoss(fields.get('loss'))
  }

  /**
   * The error of an item that has used up its starts or its time; undefined while it may start.
   *
   * @param item - its place in the chunk
   * @param index - its index in the call's input
   * @param limit - the call's time limit; what is noted is what was left of it when its supervisor was last told
   */
  giveUp(item: number, taskId: string, index: number, limit = 0): WorkerLostError | TaskTimeoutError | undefined {
    const noted = this.#late.get(item)
    if (noted !== undefined) {
      const timeout = limit > 0 ? limit : noted
      const message = `the task ${taskId} ran for more than ${timeout} ms (item ${index} of its call) and did not end when asked to; its worker process was ended`
      return new TaskTimeoutError(message, { timeout, index })
    }
    const alone = this.unknown + (this.#byItem.get(item) ?? 0)
    if (alone < maxStarts) return undefined
    const starts = alone + this.shared
    const { pid, host, build, exitCode, signal } = this.#loss
    const cause = this.#loss.error && decodeError(this.#loss.error)
    const how =
      signal != null ? `was killed by ${signal}` : exitCode != null ? `exited with code ${exitCode}` : 'was lost'
    const on = host === undefined ? '' : ` on ${host}${build === undefined ? '' : `, build ${build}`}`
    const where = pid === undefined ? '' : ` (pid ${pid}${on})`
    return new WorkerLostError(
      `the worker process that ran ${taskId}${where} ${how}${this.#because(cause)}; item ${index} of its call was started ${starts} times and is given up`,
      {
        starts,
        taskId,
        index,
        ...(pid !== undefined && { pid }),
        ...(host !== undefined && { host }),
        ...(build !== undefined && { build }),
        ...(exitCode != null && { exitCode }),
        ...(signal != null && { signal }),
        ...(cause && { cause }),
      },
    )
  }

  #because(cause: Error | undefined): string {
    if (cause === undefined) return ''
    const { culprit } = this.#loss
    const whose =
      culprit === undefined ? '' : `, for which an item of another chunk is to blame, of the task ${culprit}`
    return `${whose}: ${cause.name}: ${cause.message}`
  }
}

function parseLoss(text: string | undefined): Loss {
  try {
    const loss: unknown = JSON.parse(text ?? '{}')
    return typeof loss === 'object' && loss !== null ? loss : {}
  } catch {
    return {} // details only: whoever wrote them, the count stands
  }
}
