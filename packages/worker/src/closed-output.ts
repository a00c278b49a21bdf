/**
 * Standard output and standard error that nobody reads any more (`node producer.js | head -1`), or that have no room (a full
 * disk; a reader that stands still): what is said there is dropped. A stream that fails and that nobody listens to ends its process, and no worker process
 * is to be lost for what a task has printed. For processes of our own only: in a user's own program it is his to decide.
 */
import type { Readable, Writable } from 'node:stream'

/** Failures of this process's output are borne from now on. */
export function bearClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** Bytes that wait for a reader which is behind; what is more is dropped. */
const mostUnread = 16 * 2 ** 20

/** Passes on what a thread says. Not a pipe, which ends at a failure: what nobody took would gather. */
export function passOn(from: Readable, to: Writable): void {
  from.on('data', (said: Buffer) => {
    if (to.writableLength < mostUnread) to.write(said, () => undefined)
  })
}
