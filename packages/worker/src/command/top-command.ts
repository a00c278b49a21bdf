/** `poolmq top`: what `status` shows, again and again; on a terminal in its place, elsewhere one after the other. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { exitCode } from './exit-code.js'
import { count, flag } from './flags.js'
import { statusText } from './look-commands.js'
import { lookAt, type MonitorFlags, monitorCommand } from './monitor-command.js'

interface TopFlags extends MonitorFlags {
  readonly interval: number
}

/** A terminal's second screen, which leaves the first as it was; its beginning; the rest of it emptied. */
const screen = {
  enter: '\x1b[?1049h\x1b[?25l',
  leave: '\x1b[?25h\x1b[?1049l',
  home: '\x1b[H',
  clear: '\x1b[J',
  endOfLine: '\x1b[K',
}

export function addTopCommand(program: Command, end: (code: number) => void): void {
  monitorCommand(program, 'top', 'status, live: q or Ctrl-C ends it')
    .addOption(
      flag('--interval <ms>', 'milliseconds between two looks', 'POOLMQ_INTERVAL', count('--interval', 100)).default(
        1000,
      ),
    )
    .action(async (flags: TopFlags) => end(await top(flags)))
}

async function top(flags: TopFlags): Promise<number> {
  const isTerminal = process.stdout.isTTY === true
  const stop = new AbortController()
  const quit = () => stop.abort()
  const onKey = (key: Buffer) => {
    if (key.toString() === 'q' || key[0] === 3) quit()
  }
  process.once('SIGINT', quit).once('SIGTERM', quit)
  process.stdout.on('error', quit) // who reads it has gone
  if (isTerminal) process.stdout.write(screen.enter)
  if (process.stdin.isTTY) process.stdin.setRawMode(true).on('data', onKey)
  try {
    return await lookAt(flags, async (monitor) => {
      while (!stop.signal.aborted) {
        const { text } = await statusText(monitor)
        process.stdout.write(isTerminal ? onScreen(text) : `${text}\n\n`)
        await delay(flags.interval, undefined, { signal: stop.signal }).catch(() => undefined) // it is over
      }
      return exitCode.done
    })
  } finally {
    process.off('SIGINT', quit).off('SIGTERM', quit)
    if (process.stdin.isTTY) process.stdin.setRawMode(false).off('data', onKey).pause()
    if (isTerminal) process.stdout.write(screen.leave)
  }
}

/** As many lines as there is room for: written over the last ones, so that nothing flickers. */
function onScreen(text: string): string {
  const lines = text.split('\n').slice(0, Math.max(1, (process.stdout.rows ?? 24) - 1))
  const width = process.stdout.columns ?? 80
  return screen.home + lines.map((line) => line.slice(0, width) + screen.endOfLine).join('\r\n') + screen.clear
}
