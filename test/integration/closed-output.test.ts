// Nobody reads what tasks print (`node producer.js | head -1`), or it has no room: it is dropped. No worker process,
// thread or supervisor is lost for it, and so no item runs twice.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from '@poolmq/client'
import { expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { says } from '../fixtures/dist/output-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

/** A reader that goes at once, and a device that is always full. */
const outputs = { 'a pipe that nobody reads': '"$0" "$@" 2>&1 | true', 'a full disk': '"$0" "$@" >/dev/full 2>&1' }

const ways = ['log', 'error', 'write', 'writeError', 'writeMuch', 'writeAndWait']
const env = { REDIS_URL: redisUrl(), POOLMQ_LOG: 'trace' }

/** A program in a shell that leads its output somewhere. */
const run = (output: keyof typeof outputs, args: readonly string[]) =>
  new ProgramRun(args, { command: ['/bin/sh', '-c', outputs[output], process.execPath], env })

async function expectAllOnce(producer: ProgramRun, scratch: Scratch): Promise<void> {
  await producer.exit(60_000)
  const outcome = scratch.latch('outcome').path
  expect(existsSync(outcome), producer.stderr).toBe(true)
  expect(JSON.parse(readFileSync(outcome, 'utf8'))).toEqual(Object.fromEntries(ways.map((way) => [way, 45])))
  expect(scratch.log('log').lines.length).toBe(ways.length * 10)
}

test.each([
  ['processes', 'a pipe that nobody reads'],
  ['processes', 'a full disk'],
  ['threads', 'a pipe that nobody reads'],
  ['threads', 'a full disk'],
] as const)('a pool of %s, %s', async (kind, output) => {
  using scratch = new Scratch()
  const args = [fixture('output-program'), kind, scratch.log('log').path, scratch.latch('outcome').path]
  await using producer = run(output, args)
  await expectAllOnce(producer, scratch)
})

test.each([
  ['--processes', 'a pipe that nobody reads'],
  ['--threads', 'a full disk'],
] as const)('poolmq worker %s, %s', async (seats, output) => {
  using scratch = new Scratch()
  const pool = uniqueName('output')
  const command = [poolmqCommand, 'worker', '--pool', pool, seats, '1', fixture('output-tasks')]
  await using _host = run(output, command)
  await using producer = new ProgramRun(
    [fixture('output-program'), pool, scratch.log('log').path, scratch.latch('outcome').path],
    { env },
  )
  await expectAllOnce(producer, scratch)
})

/** A reader that takes its time, and then tells how much it has got. */
const slowly = '"$0" "$@" | { sleep 1; wc -c; }'

test.each(['processes', 'threads'])('a pool of %s: what tasks have printed is written before its end', async (kind) => {
  using scratch = new Scratch()
  const args = [fixture('printing-program'), kind, scratch.log('log').path]
  await using producer = new ProgramRun(args, { command: ['/bin/sh', '-c', slowly, process.execPath], env })
  await producer.exit(60_000)
  expect(scratch.log('log').lines.length).toBe(10)
  expect(producer.stdout.trim()).toBe('2100000')
})

test('poolmq run: a large result is written before its end', async () => {
  const pool = uniqueName('output')
  await using host = new ProgramRun(
    [poolmqCommand, 'worker', '--pool', pool, '--processes', '1', fixture('math-tasks')],
    { env },
  )
  await host.says('serving')
  const args = [poolmqCommand, 'run', 'math.identity', JSON.stringify('x'.repeat(100_000)), '--pool', pool]
  await using command = new ProgramRun(args, { command: ['/bin/sh', '-c', slowly, process.execPath], env })
  await command.exit(60_000)
  expect(command.stdout.trim(), command.stderr).toBe('100003')
})

test.each([['--help'], ['--version'], ['worker', '--help']])(
  'poolmq %s: who reads it no more has seen enough',
  async (...args) => {
    await using command = new ProgramRun([poolmqCommand, ...args], {
      command: ['/bin/sh', '-c', '"$0" "$@" | true', process.execPath],
    })
    await command.exit()
    expect(command.stderr).toBe('')
  },
)

test.each([['--help'], ['status', '--pool', 'nobody']])(
  'poolmq %s: a disk that is full is a failure',
  async (...args) => {
    await using command = new ProgramRun([poolmqCommand, ...args], {
      command: ['/bin/sh', '-c', '"$0" "$@" >/dev/full', process.execPath],
      env: { REDIS_URL: redisUrl() },
    })
    expect(await command.exit()).toBe(1)
    expect(command.stderr).toMatch(/^poolmq: the output cannot be written: ENOSPC/)
  },
)

test('poolmq calls: a reader that is slow gets all of it', async () => {
  const pool = uniqueName('output')
  await using producer = new Pool({ name: pool, connection: redisUrl() })
  const calls = Array.from({ length: 2000 }, () => producer.applyAsync(math.square, [1]))
  await using command = new ProgramRun([poolmqCommand, 'calls', '--pool', pool, '-o', 'json'], {
    command: ['/bin/sh', '-c', '"$0" "$@" | { sleep 1; cat; }', process.execPath],
    env: { REDIS_URL: redisUrl() },
  })
  await command.exit()
  await command.silent()
  expect(JSON.parse(command.stdout)).toHaveLength(calls.length)
  await producer.terminate()
  await Promise.all(calls.map((call) => call.wait()))
})

test.each(['--processes', '--threads'])(
  'poolmq worker %s: a reader that stands still holds nothing up',
  async (seats) => {
    using scratch = new Scratch()
    const name = uniqueName('output')
    // A pipe with a name: those between a test and its programs are sockets.
    const stalled = 'mkfifo "$PIPE"; sleep 600 <"$PIPE" & "$0" "$@" >"$PIPE" 2>&1; code=$?; kill $!; exit $code'
    const modules = [fixture('math-tasks'), fixture('output-tasks')]
    await using host = new ProgramRun([poolmqCommand, 'worker', '--pool', name, seats, '1', ...modules], {
      command: ['/bin/sh', '-c', stalled, process.execPath],
      env: { ...env, PIPE: join(scratch.directory, 'pipe') },
    })
    await using pool = new Pool({ name, connection: redisUrl() })
    await pool.apply(says.writeMuch, [{ log: scratch.log('log').path, value: 1 }])
    // Each death is told, into a pipe that is full.
    await expect(pool.apply(math.exit, [3])).rejects.toThrow('code 3')
    expect(await pool.apply(math.square, [3])).toBe(9)
    const [supervisor] = (await pool.hosts()).map(({ pid }) => pid)
    process.kill(supervisor as number, 'SIGTERM')
    expect(await host.exit()).toBe(0)
  },
)
