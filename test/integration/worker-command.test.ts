// The command `poolmq worker`: serves a pool from a host of its own, ends as it is told to, and says what is wrong.
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Pool } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { type Latch, Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { SilentServer } from '../support/silent-server.js'
import { until } from '../support/until.js'

const modules = [fixture('math-tasks'), fixture('latch-tasks')]
const poolmq = (...args: string[]) => new ProgramRun([poolmqCommand, ...args], { env: { REDIS_URL: redisUrl() } })
const worker = (pool: string, ...args: string[]) => poolmq('worker', '--pool', pool, ...args)

describe('serving', () => {
  test.each([['--processes'], ['--threads']])('as many as asked (%s), for a producer elsewhere', async (flag) => {
    const name = uniqueName('command')
    await using host = worker(name, flag, '2', ...modules)
    await host.says(`serving pool ${name} with 2 worker`)
    await using pool = new Pool({ name })
    using scratch = new Scratch()
    const [a, b, go] = [scratch.latch('a'), scratch.latch('b'), scratch.latch('go')]
    const items = [a, b].map(({ path }, value) => ({ started: path, go: go.path, value }))
    const held = pool.mapAsync(latches.hold, items, 1)
    await Promise.all([a.opened(), b.opened()])
    go.open()
    expect(await held).toEqual([0, 1])
    const pid = await pool.apply(math.pid)
    expect(pid === host.pid).toBe(flag === '--threads')
    expect([...host.processes().keys()]).toContain(pid)
  })

  test('with flags as environment variables: a flag comes first, an empty variable is none', async () => {
    const name = uniqueName('command')
    const env = { REDIS_URL: redisUrl(), POOLMQ_POOL: name, POOLMQ_PROCESSES: '7', POOLMQ_LEASE: '' }
    await using host = new ProgramRun([poolmqCommand, 'worker', '--processes', '1', ...modules], { env })
    await host.says(`serving pool ${name} with 1 worker process\n`)
  })

  test('a worker that starts after the call', async () => {
    const name = uniqueName('command')
    await using pool = new Pool({ name })
    const squares = pool.mapAsync(math.square, [1, 2, 3])
    await using _host = worker(name, '--processes', '1', ...modules)
    expect(await squares).toEqual([1, 4, 9])
  })
})

interface HeldItem {
  readonly started: Latch
  readonly go: Latch
  readonly item: { readonly started: string; readonly go: string; readonly value: number }
}

describe('signals', () => {
  async function busyHost(scratch: Scratch) {
    const name = uniqueName('command')
    const host = worker(name, '--processes', '1', '--health-port', '0', ...modules)
    await host.says('serving')
    const port = /health on port (\d+)/.exec(host.stderr)?.[1]
    const pool = new Pool({ name })
    const [first, second] = [1, 2].map((value) => {
      const [started, go] = [scratch.latch(`started-${value}`), scratch.latch(`go-${value}`)]
      return { started, go, item: { started: started.path, go: go.path, value } }
    }) as [HeldItem, HeldItem]
    const running = pool.mapAsync(latches.hold, [first.item, second.item], 2)
    const waiting = pool.applyAsync(math.pid)
    await first.started.opened()
    /** Resolves when the host is ending. */
    const ending = async () => {
      const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).text()
      await until('it is ending', ready, (text) => text.includes('it is ending'))
    }
    /** Resolves when its worker process has heard of it: its event loop turns between the two items. */
    const drained = async () => {
      await ending()
      first.go.open()
      await second.started.opened()
    }
    return { name, host, pool, running, waiting, ending, drained, first, second }
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s drains: what runs ends and is delivered, what waits is left',
    async (signal) => {
      using scratch = new Scratch()
      const { name, host, pool, running, waiting, drained, second } = await busyHost(scratch)
      await using _host = host
      await using _pool = pool
      host.kill(signal)
      await drained()
      await expect(host.exit(300)).rejects.toThrow('did not end')
      second.go.open()
      expect(await running).toEqual([1, 2])
      expect(await host.exit()).toBe(0)
      expect(host.processes().size).toBe(0)
      expect(waiting.ready()).toBe(false)
      await using next = worker(name, '--processes', '1', ...modules)
      const pid = await waiting
      expect([...next.processes().keys()]).toContain(pid)
    },
  )

  test('a terminal that is closed drains it as well, though all its processes hear of it, twice', async () => {
    using scratch = new Scratch()
    const { host, pool, running, drained, second } = await busyHost(scratch)
    await using _host = host
    await using _pool = pool
    const hangUp = () => {
      for (const pid of host.processes().keys()) process.kill(pid, 'SIGHUP')
    }
    hangUp()
    hangUp()
    await drained()
    second.go.open()
    expect(await running).toEqual([1, 2])
    expect(await host.exit()).toBe(0)
  })

  test('a second SIGTERM stops at once: what ran is left to another host', async () => {
    using scratch = new Scratch()
    const { name, host, pool, running, ending, first, second } = await busyHost(scratch)
    await using _host = host
    await using _pool = pool
    host.kill('SIGTERM')
    await ending()
    host.kill('SIGTERM')
    // Draining would take until 30 s have gone by.
    expect(await host.exit(20_000)).toBe(0)
    expect(host.processes().size).toBe(0)
    expect(running.ready()).toBe(false)
    for (const { go } of [first, second]) go.open()
    await using _next = worker(name, '--processes', '1', ...modules)
    expect(await running).toEqual([1, 2])
  })
})

test('SIGTERM while it is still connecting ends it at once', { retry: 2 }, async () => {
  await using silent = await SilentServer.start()
  await using run = worker(uniqueName('command'), '--processes', '1', '--redis', silent.url, ...modules)
  await silent.reached
  run.kill('SIGTERM')
  // Before it would give up by itself.
  expect(await run.exit(4400)).toBe(0)
  expect(run.stderr).toBe('')
})

describe('wrong usage: what is wrong, the usage, exit code 2', () => {
  test.each([
    ['no command', [], /no command/],
    ['an unknown command', ['wroker'], /'wroker'/],
    ['an unknown flag', ['worker', '--pool', 'p', '--proceses', '2', 'm.js'], /--proceses/],
    ['no pool', ['worker', 'm.js'], /--pool is required/],
    ['a pool name that is none', ['worker', '--pool', 'a b', 'm.js'], /"a b"/],
    ['no modules', ['worker', '--pool', 'p'], /no task modules/],
    ['no processes', ['worker', '--pool', 'p', '--processes', '0', 'm.js'], /--processes .*"0"/],
    ['a negative number', ['worker', '--pool', 'p', '--processes=-1', 'm.js'], /--processes .*"-1"/],
    ['half a process', ['worker', '--pool', 'p', '--processes', '1.5', 'm.js'], /--processes .*"1.5"/],
    ['no number', ['worker', '--pool', 'p', '--processes', 'two', 'm.js'], /--processes .*"two"/],
    ['a number beyond all', ['worker', '--pool', 'p', '--processes', '99999999999999999999', 'm.js'], /--processes/],
    ['no value', ['worker', '--pool', 'p', 'm.js', '--processes'], /--processes/],
    ['both kinds of workers', ['worker', '--pool', 'p', '--processes', '1', '--threads', '1', 'm.js'], /exclude/],
    ['an impossible lease', ['worker', '--pool', 'p', '--lease', '1', 'm.js'], /--lease .*"1"/],
    ['an impossible drain', ['worker', '--pool', 'p', '--drain', 'x', 'm.js'], /--drain .*"x"/],
    [
      'an address that is none',
      ['worker', '--pool', 'p', '--redis', 'http://localhost', 'm.js'],
      /--redis: .*redis:\/\//,
    ],
    ['a module without a name', ['worker', '--pool', 'p', 'm.js', ''], /named by an empty text/],
    ['where nothing listens', ['metrics', '--pool', 'p', '--once', '--port', '80'], /--port with --once/],
  ])('%s', async (_what, args, says) => {
    await using run = poolmq(...args)
    expect(await run.exit()).toBe(2)
    expect(run.complaints[0]).toMatch(says)
    const command = args[0] === 'worker' || args[0] === 'metrics' ? ` ${args[0]}` : ''
    expect(run.stderr).toContain(`Usage: poolmq${command}`)
    expect(run.stdout).toBe('')
  })

  test.each([
    ['a variable whose value is none', { POOLMQ_PROCESSES: 'two' }, /--processes .*"two"/],
    ['a level that is none', { POOLMQ_POOL: 'p', POOLMQ_LOG: 'loud' }, /POOLMQ_LOG is none of trace, .*"loud"/],
    ['a variable and no flag', { POOLMQ_POOL: 'a b' }, /"a b"/],
  ])('%s', async (_what, env, says) => {
    await using run = new ProgramRun([poolmqCommand, 'worker', 'm.js'], { env: { REDIS_URL: redisUrl(), ...env } })
    expect(await run.exit()).toBe(2)
    expect(run.complaints[0]).toMatch(says)
  })

  test('no Redis is named', async () => {
    await using run = new ProgramRun([poolmqCommand, 'worker', '--pool', 'p', 'm.js'])
    expect(await run.exit()).toBe(2)
    expect(run.complaints[0]).toMatch(/no Redis given: .*--redis.*REDIS_URL/)
  })
})

describe('modules: which one is wrong, and how; exit code 1', () => {
  test.each([
    [
      'that throws',
      [fixture('math-tasks'), fixture('broken-module')],
      /broken-module\.js does not load: broken on purpose/,
    ],
    [
      'that is a directory',
      [dirname(fixture('math-tasks'))],
      /fixtures\/dist does not load: it is a directory; name its file$/m,
    ],
    ['that is not there', [fixture('no-such-module')], /no-such-module\.js does not load: .*find/i],
    ['without tasks', [fixture('empty-module')], /empty-module\.js defines no tasks/],
    [
      'with an id that another has',
      [fixture('math-tasks'), fixture('twin-tasks')],
      /math\.square is defined twice: .*math-tasks\.js .*twin-tasks\.js/,
    ],
  ])('one %s', async (_what, paths, says) => {
    await using run = worker(uniqueName('command'), '--processes', '2', ...paths)
    expect(await run.exit()).toBe(1)
    expect(run.stderr).toMatch(says)
    expect(run.complaints).toHaveLength(1)
    expect(run.processes().size).toBe(0)
  })
})

describe('no usable Redis: one error, exit code 1', () => {
  const wrongPassword = () => {
    const url = new URL(redisUrl())
    url.username = 'nobody'
    url.password = 'hunter2'
    return url.href
  }

  test.each([
    ['nothing listens', () => 'redis://127.0.0.1:1', /redis:\/\/127\.0\.0\.1:1: nothing listens there/],
    ['no such host', () => 'redis://no-such-host.invalid', /host name does not resolve/],
    ['a wrong password', wrongPassword, /user name or password are wrong/],
  ])('%s', async (_what, url, says) => {
    await using run = worker(uniqueName('command'), '--processes', '2', '--redis', url(), ...modules)
    expect(await run.exit()).toBe(1)
    expect(run.complaints).toHaveLength(1)
    expect(run.stderr).toMatch(says)
    expect(run.stderr).not.toContain('hunter2')
    expect(run.processes().size).toBe(0)
  })

  test('a server that never answers', async () => {
    await using silent = await SilentServer.start()
    await using run = worker(uniqueName('command'), '--redis', silent.url, ...modules)
    await silent.reached
    const began = performance.now()
    expect(await run.exit()).toBe(1)
    // One try of 4.5 s.
    expect(performance.now() - began).toBeLessThan(9000)
    expect(run.complaints).toHaveLength(1)
    expect(run.stderr).toContain('it does not answer')
  })
})

test('--help and --version', async () => {
  await using help = poolmq('--help')
  expect(await help.exit()).toBe(0)
  for (const part of ['worker', 'Exit codes: 0 done']) expect(help.stdout).toContain(part)
  expect(help.stderr).toBe('')
  await using ofWorker = poolmq('worker', '--help')
  expect(await ofWorker.exit()).toBe(0)
  for (const part of ['--pool <name>', '--processes <n>', '--redis <url>', 'module', 'POOLMQ_PROCESSES', 'Examples:']) {
    expect(ofWorker.stdout).toContain(part)
  }
  expect(ofWorker.stderr).toBe('')
  await using version = poolmq('worker', '-v')
  expect(await version.exit()).toBe(0)
  const manifest = readFileSync(new URL('../../packages/worker/package.json', import.meta.url), 'utf8')
  expect(version.stdout).toBe(`${(JSON.parse(manifest) as { version: string }).version}\n`)
})
