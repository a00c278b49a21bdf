/** What the exit codes of `poolmq` mean; a script that calls it may rely on them. */
export const exitCode = {
  done: 0,
  /** No Redis is to be had, or what was asked has failed. */
  failed: 1,
  /** The command is not written as it should be. */
  usage: 2,
  /** Nobody serves the pool, or who was named is not there. */
  nobody: 3,
} as const

/** The command is not written as it should be: its message is followed by the way to write it. */
export class UsageError extends Error {}

/** What was asked has failed in a way that has a message and an exit code, and needs no stack. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly code: number = exitCode.failed,
  ) {
    super(message)
  }
}
