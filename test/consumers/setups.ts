/** Every set-up that must work, and those whose one error must say what to do. */

import type { Setup } from './setup.js'
import {
  commonjs,
  commonjsTypeScript,
  esm,
  example,
  exampleSays,
  guarded,
  kitOfCommonJs,
  kitOfModules,
  squares,
  withTsEndings,
} from './sources.js'

const everyNode = ['20.19.0', '22', '24']
const typescript = { typescript: '~7.0.2', '@types/node': '^20.19.0' }
/** The last TypeScript that knows the older ways to resolve modules. */
const olderTypeScript = { typescript: '~5.9.3', '@types/node': '^20.19.0' }

const tsconfig = (compilerOptions: object) =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      rootDir: '.',
      outDir: 'dist',
      ...compilerOptions,
    },
    include: ['*.ts'],
  })

/** Those that most people have: with every Node.js. */
const commonest: readonly Setup[] = [
  { name: 'ES modules, JavaScript', files: esm, steps: ['node main.js'], says: squares },
  {
    name: "TypeScript 7, tsc, nodenext: the README's example",
    dependencies: typescript,
    files: { ...example, 'tsconfig.json': tsconfig({ module: 'nodenext' }) },
    steps: ['tsc', 'node dist/main.js'],
    says: exampleSays,
  },
  { name: 'CommonJS, JavaScript', type: 'commonjs', files: commonjs, steps: ['node main.js'], says: squares },
  { name: 'node:test and the test kit', files: kitOfModules, steps: ['node --test'], says: /pass 1\b/ },
]

const installed: readonly Setup[] = [
  { name: 'pnpm: ES modules', installer: 'pnpm', files: esm, steps: ['node main.js'], says: squares },
  {
    name: 'pnpm: CommonJS',
    installer: 'pnpm',
    type: 'commonjs',
    files: commonjs,
    steps: ['node main.js'],
    says: squares,
  },
  ...(['npm', 'pnpm'] as const).map(
    (installer): Setup => ({
      name: `${installer}: a host with @poolmq/worker alone`,
      installer,
      uses: 'worker',
      redis: true,
      files: {
        'tasks.js': esm['tasks.js'].replace('@poolmq/client', '@poolmq/worker'),
        'serve.js': serveThenStop('./tasks.js'),
      },
      steps: ['npx @poolmq/worker --version', 'node serve.js'],
      says: /ended with 0[\s\S]*serving pool/,
    }),
  ),
]

/** From the minimum on; later ones are in other rows. */
const compilers = ['5.4', '5.6', '6.0']

const compiled: readonly Setup[] = [
  ...compilers.map(
    (version): Setup => ({
      name: `TypeScript ${version}, tsc, nodenext`,
      dependencies: { typescript: `~${version}.0`, '@types/node': '^20.19.0' },
      files: { ...example, 'tsconfig.json': tsconfig({ module: 'nodenext', skipLibCheck: true }) },
      steps: ['tsc', 'node dist/main.js'],
      says: exampleSays,
    }),
  ),
  {
    name: 'TypeScript 5.9, tsc, nodenext',
    dependencies: olderTypeScript,
    files: { ...example, 'tsconfig.json': tsconfig({ module: 'nodenext', skipLibCheck: false }) },
    steps: ['tsc', 'node dist/main.js'],
    says: exampleSays,
  },
  {
    name: 'TypeScript 5.9, tsc, node16, CommonJS',
    type: 'commonjs',
    dependencies: olderTypeScript,
    files: { ...commonjsTypeScript, 'tsconfig.json': tsconfig({ module: 'node16', skipLibCheck: false }) },
    steps: ['tsc', 'node dist/main.js'],
    says: squares,
  },
  {
    name: 'TypeScript 5.9, tsc, commonjs and node10',
    type: 'commonjs',
    dependencies: olderTypeScript,
    files: { ...commonjsTypeScript, 'tsconfig.json': tsconfig({ module: 'commonjs', moduleResolution: 'node10' }) },
    steps: ['tsc', 'node dist/main.js'],
    says: squares,
  },
  {
    name: 'TypeScript 7, tsc, nodenext, CommonJS',
    type: 'commonjs',
    dependencies: typescript,
    files: { ...commonjsTypeScript, 'tsconfig.json': tsconfig({ module: 'nodenext' }) },
    steps: ['tsc', 'node dist/main.js'],
    says: squares,
  },
  {
    name: 'TypeScript 7, tsc, moduleResolution bundler',
    dependencies: typescript,
    files: { ...example, 'tsconfig.json': tsconfig({ module: 'esnext', moduleResolution: 'bundler' }) },
    steps: ['tsc', 'node dist/main.js'],
    says: exampleSays,
  },
  {
    name: 'TypeScript 5.9, tsc, ES modules and node10',
    dependencies: olderTypeScript,
    files: { ...example, 'tsconfig.json': tsconfig({ module: 'esnext', moduleResolution: 'node10' }) },
    steps: ['tsc', 'node dist/main.js'],
    says: exampleSays,
  },
]

const uncompiled: readonly Setup[] = [
  {
    name: "tsx, the README's example",
    node: everyNode,
    dependencies: { tsx: '^4' },
    files: example,
    steps: ['tsx main.ts'],
    says: exampleSays,
  },
  {
    name: 'tsx, endings in .ts',
    dependencies: { tsx: '^4' },
    files: withTsEndings,
    steps: ['tsx main.ts'],
    says: exampleSays,
  },
  {
    name: 'type stripping, endings in .ts',
    node: ['22', '24'],
    // What Node itself does not know before 24 is `await using`.
    files: { ...withTsEndings, 'main.ts': withTsEndings['main.ts'].replace('await using', 'const') },
    steps: ['node main.ts'],
    says: exampleSays,
  },
  {
    name: "type stripping, the README's example",
    node: ['24'],
    files: withTsEndings,
    steps: ['node main.ts'],
    says: exampleSays,
  },
  {
    name: 'type stripping, a host',
    node: ['22', '24'],
    redis: true,
    files: { 'tasks.ts': example['tasks.ts'], 'serve.js': serveThenStop('./tasks.ts') },
    steps: ['node serve.js'],
    says: /ended with 0[\s\S]*serving pool/,
  },
  {
    name: 'TypeScript on a Node.js that cannot load it: the error',
    node: ['20.19.0'],
    redis: true,
    files: { 'tasks.ts': example['tasks.ts'] },
    steps: ['npx @poolmq/worker worker --pool consumer ./tasks.ts'],
    says: /Unknown file extension[\s\S]*22\.18[\s\S]*--import tsx[\s\S]*execArgv/,
    fails: true,
  },
  {
    name: 'Bun, local pool and embedded Redis',
    dependencies: { bun: '^1.4.0' },
    files: { ...example, 'also.ts': withTsEndings['main.ts'] },
    steps: ['bun main.ts', 'bun also.ts'],
    says: exampleSays,
  },
]

/** Their own limits of 5 s are for people who wait. */
const vitest = 'vitest run --testTimeout=120000'
const jest = 'jest --testTimeout=120000'

/** The test kit, in vitest and jest alike. */
const kit = `test('the test kit', async () => {
  const inline = new InlinePool(2)
  expect(await inline.map(math.square, [1, 2, 3])).toEqual([1, 4, 9])
  await inline.terminate()
  expect(await runTask(math.square, [3])).toBe(9)
  const pool = await testPool({ connection: process.env.REDIS_URL })
  const killed = pool.faults.killAtItem(1)
  expect(await pool.map(math.square, [1, 2, 3], 1)).toEqual([1, 4, 9])
  expect(await killed).toBeGreaterThan(0)
  await pool.terminate()
})
`

const vitestFile = `import { Pool } from '@poolmq/client'
import { InlinePool, runTask, testPool } from '@poolmq/client/testing'
import { expect, test } from 'vitest'
import { math } from './tasks.js'
test('squares', async () => {
  const pool = new Pool(2)
  expect(await pool.map(math.square, [1, 2, 3])).toEqual([1, 4, 9])
  pool.close()
  await pool.join()
})
${kit}`

const jestFile = `test('squares', async () => {
  const pool = new Pool(2)
  expect(await pool.map(math.square, [1, 2, 3])).toEqual([1, 4, 9])
  await expect(pool.map(math.fail, [1])).rejects.toThrow('no such thing')
  pool.close()
  await pool.join()
})
${kit}`
const failing = ", fail: () => { throw new Error('no such thing') } })"

const testRunners: readonly Setup[] = [
  {
    name: 'node:test and the test kit, CommonJS',
    node: everyNode,
    type: 'commonjs',
    files: kitOfCommonJs,
    steps: ['node --test'],
    says: /pass 1\b/,
  },
  {
    name: 'vitest, tasks in TypeScript, tsx for the workers',
    node: ['20.19.0'],
    dependencies: { vitest: '^4', tsx: '^4' },
    files: {
      'tasks.ts': example['tasks.ts'],
      'squares.test.ts': vitestFile,
      'vitest.config.js': "export default { test: { execArgv: ['--import', 'tsx'] } }\n",
    },
    steps: [vitest],
    says: /2 passed/,
  },
  {
    name: 'vitest, tasks in TypeScript, without tsx: the error',
    node: ['20.19.0'],
    dependencies: { vitest: '^4', tsx: '^4' },
    files: { 'tasks.ts': example['tasks.ts'], 'squares.test.ts': vitestFile },
    steps: [vitest],
    says: /22\.18[\s\S]*--import tsx[\s\S]*execArgv/,
    fails: true,
  },
  {
    name: 'vitest, tasks in TypeScript',
    node: ['22', '24'],
    dependencies: { vitest: '^4', tsx: '^4' },
    files: { 'tasks.ts': example['tasks.ts'], 'squares.test.ts': vitestFile },
    steps: [vitest],
    says: /2 passed/,
  },
  {
    name: 'jest, CommonJS',
    node: everyNode,
    type: 'commonjs',
    dependencies: { jest: '^30' },
    files: {
      'tasks.js': commonjs['tasks.js'].replace(' })', failing),
      'squares.test.js': `const { Pool } = require('@poolmq/client')\nconst { InlinePool, runTask, testPool } = require('@poolmq/client/testing')\nconst { math } = require('./tasks.js')\n${jestFile}`,
    },
    steps: [jest],
    says: /2 passed/,
  },
  {
    name: 'jest, ES modules',
    node: everyNode,
    dependencies: { jest: '^30' },
    files: {
      'tasks.js': esm['tasks.js'].replace(' })', failing),
      'squares.test.js': `import { Pool } from '@poolmq/client'\nimport { InlinePool, runTask, testPool } from '@poolmq/client/testing'\nimport { math } from './tasks.js'\n${jestFile}`,
    },
    env: { NODE_OPTIONS: '--experimental-vm-modules' },
    steps: [jest],
    says: /2 passed/,
  },
]

const bundle = 'esbuild --bundle --platform=node --target=node20 --log-level=warning'

const bundlers: readonly Setup[] = [
  {
    name: 'esbuild, the library external, code splitting',
    dependencies: { esbuild: '^0.28' },
    files: example,
    steps: [
      `${bundle} --format=esm --splitting --external:@poolmq/* main.ts tasks.ts --outdir=dist`,
      'node dist/main.js',
    ],
    says: exampleSays,
  },
  {
    name: 'esbuild, the library external, no splitting: the error',
    dependencies: { esbuild: '^0.28' },
    files: example,
    steps: [`${bundle} --format=esm --external:@poolmq/* main.ts tasks.ts --outdir=dist`, 'node dist/main.js'],
    says: /ModuleError: the task module .*isWorker\(\).*splitting/,
    fails: true,
  },
  {
    name: 'esbuild, one file, the library external',
    dependencies: { esbuild: '^0.28' },
    files: guarded,
    steps: [`${bundle} --format=esm --external:@poolmq/* single.ts --outfile=dist/single.js`, 'node dist/single.js'],
    says: squares,
  },
  {
    name: 'esbuild, one file, all bundled in',
    dependencies: { esbuild: '^0.28' },
    files: guarded,
    steps: [`${bundle} --format=esm single.ts --outfile=dist/single.js`, 'node dist/single.js'],
    says: squares,
  },
  {
    name: 'esbuild, one file of CommonJS, all bundled in',
    dependencies: { esbuild: '^0.28' },
    files: { ...guarded, 'tasks.ts': commonjsTypeScript['tasks.ts'] },
    steps: [`${bundle} --format=cjs single.ts --outfile=dist/single.cjs`, 'node dist/single.cjs'],
    says: squares,
  },
  {
    name: 'esbuild, all bundled in, taken away from node_modules: the error',
    dependencies: { esbuild: '^0.28' },
    files: guarded,
    steps: [
      `${bundle} --format=esm single.ts --outfile=dist/single.mjs`,
      'away=$(mktemp -d) && cp dist/single.mjs $away && cd $away && node single.mjs',
    ],
    says: /ModuleError: PoolMQ does not find[\s\S]*--external:@poolmq\/\*/,
    fails: true,
  },
]

const frameworks: readonly Setup[] = [
  {
    name: 'Express, SIGTERM',
    redis: true,
    dependencies: { express: '^5' },
    files: {
      'tasks.js': esm['tasks.js'],
      'server.js': `import { Pool } from '@poolmq/client'
import express from 'express'
import { math } from './tasks.js'
const pool = new Pool(2)
const app = express()
app.get('/squares', async (_request, response) => {
  response.json(await pool.map(math.square, [1, 2, 3]))
})
const server = app.listen(0, () => console.log('port', server.address().port))
process.once('SIGTERM', async () => {
  server.close()
  pool.close()
  await pool.join()
  console.log('joined')
})
`,
      'drive.js': drive(['node', 'server.js'], '/squares'),
    },
    steps: ['node drive.js'],
    says: /answer \[1,4,9\][\s\S]*joined[\s\S]*ended with 0/,
  },
  {
    name: 'Next.js, serverExternalPackages, taskRefs, a named pool',
    redis: true,
    type: 'none',
    dependencies: {
      ...olderTypeScript,
      next: '^16',
      react: '^19',
      'react-dom': '^19',
      '@types/react': '^19',
    },
    env: { NEXT_TELEMETRY_DISABLED: '1' },
    files: {
      'tasks/math.mjs': esm['tasks.js'],
      'app/layout.tsx':
        'export default function Layout({ children }: { children: React.ReactNode }) { return <html lang="en"><body>{children}</body></html> }\n',
      'app/page.tsx': 'export default function Page() { return <p>squares</p> }\n',
      'app/squares/route.ts': `import { Pool, taskRefs } from '@poolmq/client'
const math = taskRefs<typeof import('../../tasks/math.mjs').math>('math')
let pool: Pool | undefined
export const dynamic = 'force-dynamic'
export async function GET() {
  pool ??= new Pool({ name: process.env.POOL_NAME, connection: process.env.REDIS_URL })
  return Response.json(await pool.map(math.square, [1, 2, 3]))
}
`,
      'next.config.mjs': "export default { serverExternalPackages: ['@poolmq/client'] }\n",
      'drive.js': `process.env.POOL_NAME = 'next-' + process.pid
${drive(['node', 'node_modules/next/dist/bin/next', 'start', '--port', '0'], '/squares', ['./tasks/math.mjs']).replaceAll(/^import (.*) from (.*)$/gm, 'const $1 = require($2)')}`,
    },
    steps: ['next build', 'node drive.js'],
    says: /answer \[1,4,9\]/,
  },
]

/** All set-ups, in the order of the table. */
export const setups: readonly Setup[] = [
  ...commonest.map((setup) => ({ ...setup, node: everyNode })),
  ...installed,
  ...compiled,
  ...uncompiled,
  ...testRunners,
  ...bundlers,
  ...frameworks,
]

/**
 * A program that starts a worker host, waits until it serves, and stops it as a container engine does. Without npx, which
 * hands no signal on.
 */
function serveThenStop(module: string): string {
  return `import { spawn } from 'node:child_process'
const args = ['worker', '--pool', 'host-' + process.pid, '--processes', '1', ${JSON.stringify(module)}]
const host = spawn('node_modules/.bin/poolmq', args, { stdio: ['ignore', 'inherit', 'pipe'] })
host.stderr.setEncoding('utf8').on('data', (text) => {
  process.stderr.write(text)
  if (text.includes('serving pool')) host.kill('SIGTERM')
})
host.on('exit', (code, signal) => console.log('ended with', code ?? signal))
`
}

/** A program that starts a server (and a worker host), asks it once it listens, and stops it. */
function drive(command: readonly string[], path: string, modules?: readonly string[]): string {
  return `import { spawn } from 'node:child_process'
const [program, ...args] = ${JSON.stringify(command)}
${
  modules === undefined
    ? ''
    : `const host = spawn('node_modules/.bin/poolmq', ['worker', '--pool', process.env.POOL_NAME, '--processes', '1', ...${JSON.stringify(modules)}], { stdio: 'inherit' })`
}
const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
let asked = false
server.stdout.setEncoding('utf8').on('data', async (text) => {
  process.stdout.write(text)
  const port = /(?:port |localhost:)(\\d+)/.exec(text)?.[1]
  if (port === undefined || asked) return
  asked = true
  const response = await fetch('http://127.0.0.1:' + port + ${JSON.stringify(path)})
  console.log('answer', await response.text())
  server.kill('SIGTERM')
})
server.on('exit', (code, signal) => {
  console.log('ended with', code ?? signal)
  ${modules === undefined ? '' : "host.kill('SIGTERM')"}
})
`
}
