// The demo: its picture is the one that is drawn here, whatever became of a worker process.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PNG } from 'pngjs'
import { afterAll, expect, test } from 'vitest'
import { mandelbrot } from '../../examples/dist/mandelbrot-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { ProgramRun, poolmqCommand } from '../support/program-run.js'
import { TemporaryDirectory } from '../support/redis-process.js'

const example = (name: string) => fileURLToPath(new URL(`../../examples/dist/${name}.js`, import.meta.url))
const directory = new TemporaryDirectory('demo')
afterAll(() => directory[Symbol.dispose]())

const view = { width: 160, height: 120, samples: 2, steps: 300 }
const size = ['--width', '160', '--steps', '300', '--tile', '10']

/** The pixels of a PNG file, three bytes each. */
function pixelsOf(file: string): Buffer {
  const { data, width, height } = PNG.sync.read(readFileSync(file))
  expect([width, height]).toEqual([view.width, view.height])
  return Buffer.from(data.filter((_, i) => i % 4 !== 3))
}

const drawnHere = () => Buffer.from(mandelbrot.draw({ view, x: 0, y: 0, width: view.width, height: view.height }).rgb)

test('on this host: the speed-up first, who did what, and the same picture', async () => {
  const out = join(directory.path, 'local.png')
  await using run = new ProgramRun([example('mandelbrot'), ...size, '--processes', '2', '--out', out], {
    env: { REDIS_URL: process.env.REDIS_URL },
  })
  expect(await run.exit(80_000)).toBe(0)
  expect(run.stdout.split('\n')[0]).toMatch(
    /^\d+\.\d\d times as fast as one process: \d+\.\d s in the pool, \d+\.\d s seq/,
  )
  expect(run.stdout).toMatch(/killed in mid-run/)
  // Two, and, where it came in time, the one in the place of the killed.
  expect(run.stdout).toMatch(/192 tiles by [23] processes on 1 host/)
  expect(run.stderr).toContain('"signal":"SIGKILL"')
  expect(run.stdout).toContain('equals the sequential one, byte by byte: yes')
  // Not a terminal: plain lines.
  expect(run.stderr).toMatch(/^10 % \| \d+\/192 tiles$/m)
  expect(pixelsOf(out).equals(drawnHere())).toBe(true)
  expect(pixelsOf(out.replace('.png', '-by-host.png')).equals(drawnHere())).toBe(false)
})

test('a named pool of two hosts', async () => {
  const pool = uniqueName('demo')
  const env = { REDIS_URL: process.env.REDIS_URL, POOL_NAME: pool }
  const command = [poolmqCommand, 'worker', '--pool', pool, '--processes', '1', example('mandelbrot-tasks')]
  await using one = new ProgramRun(command, { env })
  await using other = new ProgramRun(command, { env })
  await Promise.all([one.says('serving pool'), other.says('serving pool')])
  const out = join(directory.path, 'named.png')
  await using run = new ProgramRun([example('mandelbrot'), ...size, '--out', out], { env })
  expect(await run.exit(80_000)).toBe(0)
  expect(run.stdout).toMatch(/192 tiles by [23] processes/)
  expect(one.stderr + other.stderr).toContain('"signal":"SIGKILL"')
  expect(pixelsOf(out).equals(drawnHere())).toBe(true)
})

test.each([
  [['--width', 'wide'], '--width must be a whole number from 16 on, got wide'],
  [['--speed', '5'], "Unknown option '--speed'"],
])('wrong usage: %s', async (args, says) => {
  await using run = new ProgramRun([example('mandelbrot'), ...args])
  expect(await run.exit()).toBe(2)
  expect(run.stderr).toContain(says)
  expect(run.stderr).toContain('usage: mandelbrot')
})
