// User code that hangs before a worker process can run any chunk: after some seconds somebody is told what it is, once.
import { Pool, ThreadPool } from '@poolmq/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { slow } from '../fixtures/dist/slow-start-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const warnings: string[] = []
const note = (warning: Error & { code?: string }) => {
  if (warning.code === 'POOLMQ_SLOW_START') warnings.push(warning.message)
}
beforeAll(() => void process.on('warning', note))
afterAll(() => void process.off('warning', note))

const told = (name: string) => warnings.filter((text) => text.includes(name))

test('initializers and modules of pools: a warning of the process that has the pool', async () => {
  const initialized = [
    new Pool({ processes: 2, initializer: slow.wait }),
    new ThreadPool({ processes: 1, initializer: slow.loop }),
  ]
  // A task that is defined later: its module is on its way to a pool that works.
  const late = new Pool(1)
  await late.apply(slow.nothing)
  const { hanging } = await import('../fixtures/dist/hanging-module.js')
  const call = late.applyAsync(hanging.nothing)
  const early = new Pool(1)
  const { looping } = await import('../fixtures/dist/looping-module.js')
  const other = new Pool(1)
  const names = ['slow.wait', 'slow.loop', 'hanging-module.js']
  await until(
    'each is told',
    () => names.map((name) => told(name).length),
    (counts) => counts.every((count) => count > 0),
  )
  expect(told('slow.wait')).toEqual([
    expect.stringMatching(/^the initializer slow\.wait has been running for 5 s in a worker process \(pid \d+\)/),
  ])
  expect(told('slow.loop')[0]).toContain('in a worker thread')
  expect(told('hanging-module.js')[0]).toMatch(/^the task module file:.* has been loading for 5 s/)
  expect(call.ready()).toBe(false)
  expect(looping).toBeDefined()
  await Promise.all([...initialized, late, early, other].map((pool) => pool.terminate()))
})

test('modules of poolmq worker: a line of its log', async () => {
  const hosts = [
    ['hanging-module', '--processes'],
    ['looping-module', '--processes'],
    ['looping-module', '--threads'],
  ] as const
  const told = hosts.map(async ([module, seats]) => {
    const args = [poolmqCommand, 'worker', '--pool', uniqueName('slow'), seats, '1', fixture(module)]
    await using host = new ProgramRun(args, { env: { REDIS_URL: redisUrl() } })
    await host.says(/the task module .* has been loading for 5 s/)
    expect(host.stderr).toContain(`${module}.js`)
  })
  await Promise.all(told)
})
