/** The decisions by which PoolMQ differs from CPython: lines of docs/semantics.md, word by word. */
export const deviation = {
  chunkSize: '`chunkSize` 0, negative, fractional or not a number, on any method',
  terminate: 'a pending `get`, `map`, `next` when `terminate()` is called, or when the scope is left',
  workerKilled: 'a worker killed (SIGKILL, OOM, segfault) in a task',
  idleKilled: 'an idle worker killed, also in a pool of one',
  exits: 'a task that exits its process, throws a non-Error (`throw undefined`), or rejects with anything',
  initializer: 'the initializer throws',
  unknownTask: 'an unknown task on a worker',
  argument: 'an argument that cannot be encoded',
  result: 'a result or an error that cannot be encoded or decoded',
  callback: 'a callback that throws',
  badInput: 'a declared length that is wrong, an iterator that throws midway or blocks',
  perItem: '`imap` with `chunkSize` > 1 and a failing item',
  nextTimeout: '`next(timeout)`',
  emptyMap: 'empty `mapAsync` with a callback',
  sigterm: 'a task ignoring SIGTERM on `terminate`',
  bounded: '`imap`/`imapUnordered` are bounded by default',
  snapshot: 'arguments are snapshotted at submit',
  dispose: '`[Symbol.asyncDispose]` = `terminate()` unless already closed',
  keptError: 'an error with a property that cannot be encoded arrives without that property',
} as const

export type Deviation = (typeof deviation)[keyof typeof deviation]
