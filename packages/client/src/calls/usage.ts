/** What of a call is in Redis, and what of it waits in the client until there is room: kept by the byte budget. */
import type { Backlog } from './backlog.js'

export class Usage {
  /** Bytes of its chunks that were submitted and of which nothing has been heard. */
  bytes = 0
  /** Bytes of a chunk's outcome, on the average of late; 0 while none is known. */
  outcome = 0
  /** What the budget counts for it now. */
  load = 0
  /** Whether it is counted among the large. */
  isLarge = false
  /** Its chunks that wait for room; undefined when none does. */
  backlog: Backlog | undefined
}
