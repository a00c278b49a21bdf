import type { ProcessReport } from '@poolmq/shared'
import { inHand, type Occupant } from './occupant.js'
import { residentMemory } from './resident-memory.js'

/** Milliseconds for which chunks are told of that have ended. */
const told = 60_000

/** A worker process as those see it who watch. */
export function processReport(occupant: Occupant, lanes: number): ProcessReport {
  const { handle, ready, began: started } = occupant
  const { tasks, recent } = handle.tally()
  let [chunks, items, failed] = [0, 0, 0]
  for (const counts of tasks.values()) {
    chunks += counts.chunksOk + counts.chunksFailed
    items += counts.itemsOk + counts.itemsFailed
    failed += counts.itemsFailed
  }
  const now = Date.now()
  const spans = recent
    .filter(({ began, duration }) => now - began - duration < told)
    .map(({ began, duration, ...rest }) => ({
      began: Math.max(0, now - began),
      duration: Math.round(duration),
      ...rest,
    }))
  return {
    pid: handle.pid,
    ready,
    age: Math.round(performance.now() - started),
    memory: residentMemory(handle.pid) ?? null,
    lanes,
    running: inHand(occupant).map(({ jobId }) => jobId),
    chunks,
    items,
    failed,
    spans,
  }
}
