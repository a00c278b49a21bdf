// What each root script does, in terms of the modules beside this one.
import { existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { writeApiReference } from './api-reference.mjs'
import { parseChaosOptions } from './chaos-options.mjs'
import { checkTypes, compile } from './compiler.mjs'
import { ensureDependencies } from './dependencies.mjs'
import { provideFakeClock } from './fake-clock.mjs'
import { nodeDirectory, supportedNodes } from './node-versions.mjs'
import { checkPackages } from './package-checks.mjs'
import { packInto } from './packages.mjs'
import { runInForeground, runNode } from './programs.mjs'
import { provideRedis, provideRedisForTests } from './redis-source.mjs'
import { provideProgramsForTests } from './test-programs.mjs'
import { setVersion } from './version.mjs'
import { Advice, inRoot, say } from './workspace.mjs'

const commands = {
  async build(args) {
    await ensureDependencies()
    await compile(args)
    return 0
  },

  async test(args) {
    await prepare()
    await provideFakeClock()
    // Whoever names a file is not made to wait for programs that it may not need.
    if (args.every((arg) => arg.startsWith('-'))) await provideProgramsForTests()
    return await withRedis(await provideRedisForTests(), (env) => vitest(args, env))
  },

  async chaos(args) {
    const { env: chaos, rest } = parseChaosOptions(args)
    await prepare()
    return await withRedis(await provideRedisForTests(), (env) =>
      vitest(['--no-file-parallelism', ...rest], { ...env, ...chaos }),
    )
  },

  async demo(args) {
    await prepare()
    return await withRedis(await provideRedis(), (env) => runNode(inRoot('examples/dist/mandelbrot.js'), args, { env }))
  },

  async bench(args) {
    await prepare()
    const program = inRoot('bench/dist/index.js')
    if (!existsSync(program)) throw new Advice(`there are no benchmarks: ${program} does not exist`)
    return await withRedis(await provideRedis(), (env) => runNode(program, args, { env }))
  },

  async lint(args) {
    await prepare()
    await checkTypes('test')
    await writeApiReference({ check: true })
    const unused = await runNode(inRoot('node_modules/knip/bin/knip.js'), ['--no-progress'])
    return (await runNode(inRoot('node_modules/@biomejs/biome/bin/biome'), ['check', ...args])) || unused
  },

  async api() {
    await prepare()
    await writeApiReference()
    return 0
  },

  async packages() {
    await prepare()
    return await checkPackages()
  },

  async matrix(args) {
    await prepare()
    return await withRedis(await provideRedisForTests(), (env) => testOnAllNodes(args, env))
  },

  /** Prints where a `node` of that version is, for tests. */
  async node([version]) {
    console.log(await nodeDirectory(version))
    return 0
  },

  async pack([directory]) {
    if (directory === undefined) throw new Advice('usage: npm run pack -- DIRECTORY')
    await prepare()
    await packInto(resolve(directory))
    return 0
  },

  async lanes(args) {
    await prepare()
    return await withRedis(await provideRedisForTests(), (env) => vitest(args, { ...env, POOLMQ_SUITE: 'lanes' }))
  },

  async servers(args) {
    await prepare()
    await provideFakeClock()
    return await withRedis(await provideRedisForTests(), (env) => vitest(args, { ...env, POOLMQ_SUITE: 'servers' }))
  },

  async consumers(args) {
    await prepare()
    return await withRedis(await provideRedisForTests(), (env) =>
      vitest(['--maxConcurrency=2', ...args], { ...env, POOLMQ_SUITE: 'consumers' }),
    )
  },

  async version(args) {
    setVersion(args)
    return 0
  },
}

/** The function that carries out the command of that name with its arguments and resolves with the exit code. */
export function parseCommand(name) {
  if (!Object.hasOwn(commands, name ?? '')) {
    throw new Advice(`usage: node scripts/run.mjs <${Object.keys(commands).join('|')}> [arguments]`)
  }
  return commands[name]
}

async function prepare() {
  await ensureDependencies()
  await compile()
}

async function withRedis({ env, stop }, work) {
  try {
    return await work(env)
  } finally {
    await stop()
  }
}

/** What a version of Node.js could make fail: all units, and the core of what runs across processes. */
const core = [
  'test/unit',
  ...['pool', 'round-trip', 'imap', 'named-pool'].map((name) => `test/integration/${name}.test.ts`),
]

async function testOnAllNodes(args, env) {
  let failed = 0
  for (const version of supportedNodes) {
    const directory = await nodeDirectory(version)
    say(`tests on Node.js ${version}: ${directory}`)
    const path = [directory, env.PATH ?? process.env.PATH].join(delimiter)
    const run = [inRoot('node_modules/vitest/vitest.mjs'), 'run', ...(args.length > 0 ? args : core)]
    const code = await runInForeground(join(directory, 'node'), run, { env: { ...env, PATH: path } })
    say(`tests on Node.js ${version}: ${code === 0 ? 'passed' : `FAILED with exit code ${code}`}`)
    failed ||= code
  }
  return failed
}

const vitest = (args, env) => runNode(inRoot('node_modules/vitest/vitest.mjs'), ['run', ...args], { env })
