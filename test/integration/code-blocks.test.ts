// What the documentation shows is run as it stands there: blocks of TypeScript that are files are compiled and run, what
// they print is compared with what they say that they print, and lines of shell are run.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CodeBlock, codeBlocks, pages, root, textOf } from '../support/code-block.js'
import { uniqueName } from '../support/pool-name.js'
import { ProgramRun, poolmqCommand } from '../support/program-run.js'

const all = pages.flatMap(codeBlocks)
const blocks = all.filter(({ page }) => page !== 'docs/api.md')
const unmarked = blocks.filter(({ remark }) => remark === undefined)
const name = ({ page, line, file }: CodeBlock) => `${page}:${line}${file === undefined ? '' : ` ${file}`}`
const titled = (some: readonly CodeBlock[]) => some.map((block) => [name(block), block] as const)

const files = unmarked.filter(({ language }) => language === 'ts' || language === 'js')
const shell = unmarked.filter(({ language }) => language === 'sh')
/** The tasks of the README are those of every page that has none of its own. */
const tasks = files.find(({ page, file }) => page === 'README.md' && file === 'tasks.ts')
const hostLine = blocks.find(({ remark }) => remark === 'run with the next block')

// Inside of test/, where the packages are installed.
const directory = mkdtempSync(join(root, 'test/node_modules/.code-blocks-'))
const place = (page: string) => join(directory, page.replaceAll('/', '-'))
const pool = uniqueName('sums')
/** One name for all pages' pool, that of this run. */
const named = (text: string) => text.replaceAll(/(name: '|--pool )sums\b/g, `$1${pool}`)
const env = () => ({ REDIS_URL: process.env.REDIS_URL, PATH: `${directory}:${process.env.PATH}` })
let host: ProgramRun

beforeAll(async () => {
  for (const page of new Set(files.map((block) => block.page))) {
    const own = files.filter((block) => block.page === page)
    mkdirSync(place(page))
    const all = [['tasks.ts', tasks?.text], ...own.map(({ file, text }) => [file, text])]
    for (const [file, text = ''] of all) writeFileSync(join(place(page), file ?? 'unnamed.ts'), named(text))
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  symlinkSync(poolmqCommand, join(directory, 'poolmq'))
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    strict: true,
  }
  const sources = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: sources }))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const tsc = spawnSync(process.execPath, [compiler, '-p', directory], { encoding: 'utf8' })
  expect(tsc.stdout).toBe('')
  // The line of the README that serves a pool, with this machine's Redis.
  const args = named(hostLine?.text ?? '')
    .replace(/^npx @poolmq\/worker /, '')
    .replace(/--redis \S+/, '')
    .replace('./tasks.ts', join(place('README.md'), 'tasks.js'))
    .replace('--processes 8', '--processes 2')
  host = new ProgramRun([poolmqCommand, ...args.trim().split(/\s+/)], { env: env() })
  await host.says('serving pool')
})

afterAll(async () => {
  await host?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

test('there is what to look at', () => {
  expect(files.length).toBeGreaterThan(10)
  expect(tasks).toBeDefined()
  expect(hostLine?.text).toMatch(/^npx @poolmq\/worker worker --pool sums .*\.\/tasks\.ts$/)
})

describe('a block that is not run here says why', () => {
  test.each(titled(blocks.filter(({ remark }) => remark !== undefined)))('%s', (_name, { remark = '' }) => {
    if (remark === 'run with the next block') return
    const file = /^run by ([\w./-]+)/.exec(remark)?.[1]
    if (file === undefined) expect(remark).toMatch(/^not run: .{15,}/)
    else expect(existsSync(join(root, file.replace(/[.,:]$/, '')))).toBe(true)
  })
})

test.each(titled(files.filter(({ language }) => language === 'js')))(
  '%s: JavaScript is marked',
  (_name, { remark }) => {
    expect(remark).toBeDefined()
  },
)

const programs = files.filter(({ text }) => !text.includes('= defineTasks('))

test.each(titled(programs))('%s runs, and prints what it says', async (_name, { page, file, text }) => {
  expect(file, 'a block of TypeScript begins with its file name, or is marked').toBeDefined()
  await using run = new ProgramRun([join(place(page), (file ?? '').replace(/\.ts$/, '.js'))], { env: env() })
  if (text.includes('listening')) {
    await run.says('listening')
    run.kill('SIGTERM')
  }
  expect(await run.exit(60_000), run.stderr).toBe(0)
  for (const [, said = ''] of text.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)) {
    const values = /^[\d, ]+ as they come/.test(said) ? (said.match(/\d+/g) ?? []) : [said]
    for (const value of values) expect(run.stdout).toContain(value)
  }
})

test.each(titled(shell))('%s: its lines of shell run', async (_name, { text }) => {
  await using run = new ProgramRun(['-ec', named(text)], { env: env(), command: ['/bin/sh'] })
  expect(await run.exit(60_000), run.stderr).toBe(0)
})

const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts,
)

describe.each(pages)('%s', (page) => {
  const text = textOf(page)

  test('names scripts that there are', () => {
    const called = [...text.matchAll(/npm run ([\w-]+)/g)].map(([, script]) => script)
    expect(called.filter((script) => !scripts.includes(script ?? ''))).toEqual([])
  })

  test('has links that lead somewhere', () => {
    const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '')
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? join(root, page) : resolve(root, dirname(page), path)
      if (!existsSync(target)) return true
      return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
    })
    expect(broken).toEqual([])
  })
})

/** As GitHub makes them from headings. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  )
}
