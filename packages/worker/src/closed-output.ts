/**
 * Standard output and standard error that nobody reads any more (`node producer.js | head -1`), or that have no room (a full
 * disk; a reader that stands still): what is said there is dropped. A stream that fails and that nobody listens to ends its process, and no worker process
 * is to be lost for what a task has printed. For processes of our own only: in a user's own program it is his to decide.
 */
import { type Readable, Writable } from 'node:stream'
import { clearInterval, setInterval } from 'node:timers'

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

/** Whether something that was said is not written yet: a pipe takes 64 KiB, and what is behind waits for its reader. */
export function isOutputWaiting(): boolean {
  return outputs().some((stream) => stream.writableLength > 0)
}

/** Milliseconds after which a reader that takes nothing is one that stands still. */
const patience = 5000

/** Resolves when all that was said is written, or nobody takes it any more. An end of this process before that would lose it. */
export function outputWritten(): Promise<void> {
  return new Promise((resolve) => {
    let left = unwritten()
    const timer = setInterval(() => {
      const now = unwritten()
      if (now >= left) done()
      left = now
    }, patience)
    const done = () => {
      clearInterval(timer)
      resolve()
    }
    void Promise.all(outputs().map(written)).then(done)
  })
}

/** Bytes that wait, as exactly as can be told: the stream itself counts a large text as waiting until all of it is written. */
function unwritten(): number {
  return outputs().reduce((sum, stream) => {
    const { _handle: handle } = stream as { _handle?: { writeQueueSize?: number } | null }
    return sum + (handle?.writeQueueSize ?? stream.writableLength)
  }, 0)
}

/** Those that have not been replaced by something else: a program may do that, and it is his then. */
function outputs(): Writable[] {
  return [process.stdout, process.stderr].filter((stream) => stream instanceof Writable && !stream.destroyed)
}

const write: (this: Writable, chunk: string, done: () => void) => boolean = Writable.prototype.write

function written(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => resolve()
    stream.once('close', done)
    if (stream.writableEnded) stream.once('finish', done)
    // User code may have put its own in the place of the stream's `write`.
    else write.call(stream, '', done)
  })
}
