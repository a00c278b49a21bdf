/** What to do about an error of the operating system: it says what was refused, in a code, and never what would help. */
const advice: Readonly<Record<string, string>> = {
  EMFILE: 'this process has as many files open as it may: close some, or raise the limit (ulimit -n)',
  ENFILE: 'the machine has as many files open as it may: close some, or raise fs.file-max',
  EAGAIN: 'there are as many processes as there may be: raise the limit (ulimit -u, pids_limit of a container)',
  ENOMEM: 'the machine has no memory left for it: run fewer processes, or give it more',
  ENOSPC: 'the disk, or the memory behind it, is full: make room, or set TMPDIR to a place that has some',
  E2BIG: 'the environment and the arguments are larger than it takes: make them smaller',
  EACCES: 'this user may not: check the permissions, and that the file system is not mounted noexec',
  EPERM: 'this user may not: check the permissions, and what the container or sandbox forbids',
  ENOENT: 'there is no such file: check that it is installed, and that TMPDIR names a directory',
  EROFS: 'the file system is read-only: set TMPDIR to a directory that can be written',
}

/** The error's message, and what to do about it. */
export function withAdvice(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const known = advice[String((error as { code?: unknown } | null | undefined)?.code)]
  return known === undefined ? message : `${message}; ${known}`
}
