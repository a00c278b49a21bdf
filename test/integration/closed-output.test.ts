// Nobody reads what tasks print (`node producer.js | head -1`), or it has no room: it is dropped. No worker process,
// thread or supervisor is lost for it, and so no item runs twice.
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
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
