// Finds programs on PATH and runs them. A program in the foreground shares our terminal: its output is ours, the
// signals that we get are its, and its exit code is what the caller gets.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { delimiter, join } from 'node:path'
import { root } from './workspace.mjs'

/** The path of the first of `names` that is an executable file on PATH, or undefined. */
export const findOnPath = (...names) => findIn(process.env.PATH ?? '', ...names)

/** The same for any list of directories that is written like PATH. */
export function findIn(searchPath, ...names) {
  const directories = searchPath.split(delimiter).filter(Boolean)
  const candidates = names.flatMap((name) => directories.map((directory) => join(directory, name)))
  return candidates.find(isExecutable)
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** What a program prints on stdout, trimmed; undefined when it fails or does not end in time. */
export function outputOf(program, args, { timeout = 20_000 } = {}) {
  const { status, stdout } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 ? stdout.trim() : undefined
}

/** Runs a program in the foreground and resolves with its exit code: 128 + n when signal n ended it. */
export function runInForeground(program, args, { env = {}, stdin = 'inherit', quiet = false, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [stdin, quiet ? 'ignore' : 'inherit', 'inherit'],
    })
    const relays = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => [signal, () => relay(child, signal)])
    for (const [signal, listener] of relays) process.on(signal, listener)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      for (const [name, listener] of relays) process.off(name, listener)
      resolve(code ?? 128 + osConstants.signals[signal])
    })
  })
}

/** Ctrl-C on a terminal reaches the whole process group: the child has it already, and a second one would be a harder stop. */
function relay(child, signal) {
  if (signal === 'SIGINT' && process.stdin.isTTY) return
  child.kill(signal)
}

/** Runs a JavaScript file with this Node.js in the foreground. */
export const runNode = (file, args = [], options = {}) => runInForeground(process.execPath, [file, ...args], options)
