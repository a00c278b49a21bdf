// What may pass is no judgement: a host that has served goes on trying, and what runs meanwhile is left alone.
import { rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { InitializerError, Pool, ThreadPool } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { moody } from '../fixtures/dist/moody-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const preload = new URL('../fixtures/dist/refusing-preload.js', import.meta.url).href

function host(pool: string, env: NodeJS.ProcessEnv, ...args: string[]) {
  const modules = [fixture('latch-tasks'), fixture('moody-tasks')]
  return new ProgramRun([poolmqCommand, 'worker', '--pool', pool, ...args, ...modules], {
    env: { REDIS_URL: redisUrl(), NODE_OPTIONS: `--import ${preload}`, ...env },
  })
}

describe('a host of two processes, one busy, one dead', () => {
  test.concurrent.each([
    ['the system has no process to give', 'POOLMQ_TEST_REFUSAL', constants.errno.EAGAIN],
    ['the system has no memory to give', 'POOLMQ_TEST_REFUSAL', constants.errno.ENOMEM],
    ['the supervisor has no descriptor left', 'POOLMQ_TEST_REFUSAL', constants.errno.EMFILE],
    ['a module does not load any more', 'POOLMQ_TEST_MOOD', 0],
  ])('%s, for a while: what runs ends well, and the seat is filled', async (_what, variable, content) => {
    using scratch = new Scratch()
    const name = uniqueName('passing')
    const [started, go, trouble] = [scratch.latch('started'), scratch.latch('go'), scratch.latch('trouble')]
    await using run = host(name, { [variable]: trouble.path }, '--processes', '2')
    await run.says('serving pool')
    await using pool = new Pool({ name })
    const held = pool.apply(latches.hold, [{ started: started.path, go: go.path, value: 7 }])
    await started.opened()
    const idle = await pool.apply(moody.pid)
    writeFileSync(trouble.path, String(content))
    process.kill(idle, 'SIGKILL')
    // More tries than a host that has never served has.
    const tries = () => run.complaints.filter((line) => line.includes('could not start')).length
    await until('it has been tried', tries, (count) => count > 4, 60_000)
    rmSync(trouble.path)
    const next = await pool.apply(moody.pid)
    expect(next).not.toBe(idle)
    go.open()
    expect(await held).toBe(7)
  })
})

test.each([
  ['--processes', '4'],
  ['--threads', '4'],
])('what an initializer needs is away for a second (%s %s): late, and right', async (flag, count) => {
  using scratch = new Scratch()
  const name = uniqueName('passing')
  const [log, started, go] = [scratch.log('log'), scratch.latch('started'), scratch.latch('go')]
  await using run = host(name, {}, flag, count)
  await run.says('serving pool')
  await using other = new Pool({ name })
  const held = other.apply(latches.hold, [{ started: started.path, go: go.path, value: 7 }])
  await started.opened()
  await using pool = new Pool({ name, initializer: moody.needs, initArgs: [log.path, 1000] })
  const [pids] = await Promise.all([
    pool.map(moody.pid, Array(40).fill(0), 1),
    // Meanwhile other clients are served.
    other.map(moody.pid, Array(40).fill(0), 1),
  ])
  expect(pids).toHaveLength(40)
  go.open()
  expect(await held).toBe(7)
})

test.each([
  ['processes', () => Pool],
  ['threads', () => ThreadPool],
] as const)('a pool’s own %s: what the initializer needs comes in time, or never', async (_what, kind) => {
  using scratch = new Scratch()
  const Kind = kind()
  const [log, never] = [scratch.log('log'), scratch.log('never')]
  await using pool = new Kind({ processes: 3, initializer: moody.needs, initArgs: [log.path, 1000] })
  expect(await pool.apply(moody.pid)).toBeTypeOf('number')
  await using broken = new Kind({ processes: 2, initializer: moody.needs, initArgs: [never.path, 1e9] })
  await expect(broken.apply(moody.pid)).rejects.toThrow(InitializerError)
  // Each of two processes has its three tries at most.
  expect(never.lines.length).toBeGreaterThan(2)
  expect(never.lines.length).toBeLessThan(7)
})
