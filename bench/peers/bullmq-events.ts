/** Plain BullMQ at its best, as a contestant. */
import { serveJobs } from '../harness/contestant-process.js'
import { bullmqPlayer } from './bullmq-player.js'
import { resultsOf } from './bullmq-results.js'

await serveJobs((setup) => bullmqPlayer(`bench-bullmq-events-${process.pid}`, setup, resultsOf))
