/** All workloads, in the order of the table. */
import type { Workload } from '../harness/workload.js'
import { apply } from './apply.js'
import { fair } from './fair.js'
import { httpRequests } from './http-requests.js'
import { imapMemory } from './imap-memory.js'
import { imapUnordered } from './imap-unordered.js'
import { io } from './io.js'
import { mapChunk1 } from './map-chunk-1.js'
import { mapChunks } from './map-chunks.js'
import { mapDefault } from './map-default.js'
import { observed } from './observed.js'
import { payloads } from './payloads.js'
import { manyProducers } from './producers.js'
import { redisCost } from './redis-cost.js'
import { scaling } from './scaling.js'
import { startUp } from './start-up.js'

export const workloads: readonly Workload[] = [
  mapDefault,
  mapChunks,
  mapChunk1,
  imapUnordered,
  apply,
  payloads,
  scaling,
  imapMemory,
  startUp,
  io,
  httpRequests,
  manyProducers,
  fair,
  redisCost,
  observed,
]
