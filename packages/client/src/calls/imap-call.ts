/** Starts a call whose results are taken one by one: `imap`, `imapUnordered` and their `istarmap` forms. */
import { attempt, type TaskInfo } from '@poolmq/shared'
import type { ParsedOptions } from '../call-options.js'
import type { PoolEngine } from '../engine/pool-engine.js'
import type { Collector } from './call.js'
import { AutoSize, fixedSize } from './chunk-sizer.js'
import { encodeChunk } from './chunker.js'
import { ImapFeeder } from './imap-feeder.js'
import { ImapIterator, type ImapResults } from './imap-iterator.js'
import { ProgressReporter } from './progress-reporter.js'
import { CallPlace } from './user-code.js'

export interface ImapKind {
  readonly method: string
  /** Items are argument lists. */
  readonly spread: boolean
  readonly ordered: boolean
}

/** Chunks in the buffer for each worker process, by default. */
const bufferPerWorker = 4

/** @param feeders - the feeders of the pool that are still reading; this call's is among them while it does */
export function startImap<R>(
  owner: unknown,
  engine: PoolEngine,
  task: TaskInfo,
  kind: ImapKind,
  input: Iterable<unknown> | AsyncIterable<unknown>,
  options: ParsedOptions,
  feeders: Set<ImapFeeder>,
): ImapResults<R> {
  // Who bounds the buffer counts in items, as CPython does.
  const { chunkSize = options.bufferSize === undefined ? 'auto' : 1 } = options
  const sizer = chunkSize === 'auto' ? new AutoSize(engine.census.workers, lengthOf(input)) : fixedSize(chunkSize)
  let total: number | undefined
  let arrived = 0
  const endWhenDone = () => {
    if (total !== undefined && arrived >= total) engine.calls.end(call)
  }
  const iterator = new ImapIterator<R>(kind.ordered, {
    onChunkTaken: () => feeder.chunkTaken(),
    onReturn: () => {
      feeder.stop()
      engine.calls.end(call)
    },
    onWaiting: () => keepAwake(),
  })
  // With nothing under way and nobody who waits, a call is no reason for the process to go on.
  const keepAwake = () => engine.calls.keepAwake(call, iterator.isWaitedFor || call.pending.size > 0)
  const collector: Collector = {
    take: (index, result) => {
      arrived++
      sizer.observe(result.values.length, result.duration, result.characters)
      iterator.take(index, result)
      keepAwake()
      endWhenDone()
    },
    fail: (error) => {
      feeder.stop()
      iterator.fail(error)
      engine.calls.end(call)
    },
  }
  const progress = new ProgressReporter(options.onProgress, options.onProgress && new CallPlace())
  const call = engine.opener.open(
    owner,
    task,
    { method: kind.method, mode: 'each', spread: kind.spread },
    options,
    progress.before(collector),
  )
  const feeder = new ImapFeeder({
    input,
    sizer,
    bufferSize: options.bufferSize ?? bufferPerWorker * engine.census.workers,
    liftable: options.bufferSize === undefined,
    submit: (items, index, first) => {
      const chunk = encodeChunk(items, 'items', first)
      engine.dispatch.watch.encoded(items, chunk)
      const submitted = engine.dispatch.submit(call, index, chunk)
      keepAwake()
      // It may have waited for room, with nothing under way.
      return submitted?.then(keepAwake)
    },
    onEnd: (chunks, items, ending) => {
      total = chunks
      progress.total = items
      call.total = items
      feeders.delete(feeder)
      iterator.inputEnded(chunks, ending)
      endWhenDone()
    },
  })
  feeders.add(feeder)
  void feeder.run()
  return iterator
}

/** The items of an input that knows them: arrays, typed arrays, sets, maps, strings do. */
function lengthOf(input: object): number | undefined {
  const known = attempt(() => {
    const { length, size } = input as { length?: unknown; size?: unknown }
    return length ?? size
  })
  return typeof known === 'number' && Number.isSafeInteger(known) && known >= 0 ? known : undefined
}
