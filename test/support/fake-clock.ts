/**
 * Programs whose clock is wrong: libfaketime, loaded before anything else, shifts the time of day and nothing else. Debian's
 * package `faketime` brings it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where distributions put it: in a directory for the processor, or not. */
function findLibrary(): string | undefined {
  const roots = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].filter((root) => existsSync(root))
  const places = roots.flatMap((root) => [root, ...readdirSync(root).map((name) => join(root, name))])
  const files = places.map((place) => join(place, 'faketime', 'libfaketimeMT.so.1'))
  return process.platform === 'linux' ? files.find((file) => existsSync(file)) : undefined
}

/** Why there can be none here; undefined when there can. */
export function noFakeClock(): string | undefined {
  return findLibrary() === undefined ? "there is no libfaketime (Debian's package faketime)" : undefined
}

/** The environment of a program whose clock is so many seconds ahead, or behind when negative. */
export function clockAhead(seconds: number): NodeJS.ProcessEnv {
  const library = findLibrary()
  if (library === undefined) throw new Error(noFakeClock())
  return {
    LD_PRELOAD: library,
    FAKETIME: `${seconds < 0 ? '' : '+'}${seconds}s`,
    // Clocks that only go forward are right on any machine.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}
