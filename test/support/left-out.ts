/**
 * Test files for which this machine lacks something that a test cannot bring along. They are left out as a whole, with
 * one line each that says why: a run that skips nothing has run all that can run here.
 */
import { spawnSync } from 'node:child_process'
import { findEngine } from '../docker/engine.js'
import { noFakeClock } from './fake-clock.js'
import { browsers, findProgram } from './find-program.js'
import { NetworkNamespace } from './network-namespace.js'

const needs: readonly (readonly [what: string, files: string, missing: () => Promise<string | undefined>])[] = [
  ['the Docker tests', 'test/docker/**', async () => (await findEngine()).missing],
  [
    'the test on hosts in networks of their own',
    'test/integration/namespaces.test.ts',
    async () => NetworkNamespace.impediment(),
  ],
  ['the test of wrong clocks', 'test/integration/clocks.test.ts', async () => noFakeClock()],
  [
    "the tests of the dashboard's page",
    'test/integration/dashboard-page.test.ts',
    async () => (findProgram(...browsers) === undefined ? 'there is no Chromium' : undefined),
  ],
  [
    'the check of the metrics by promtool',
    'test/integration/promtool.test.ts',
    async () => (findProgram('promtool') === undefined ? 'there is no promtool' : undefined),
  ],
  // Messages and start methods change between minor versions: only the version that wrote the file can write it again.
  ['writing golden.json again', 'test/conformance/golden-again.test.ts', async () => missingPython('3.11')],
]

/** The files to be left out. */
export async function leftOut(): Promise<string[]> {
  const left: string[] = []
  for (const [what, files, missing] of needs) {
    const reason = await missing()
    if (reason === undefined) continue
    process.stderr.write(`poolmq: ${what}: left out, ${reason}\n`)
    left.push(files)
  }
  return left
}

function missingPython(wanted: string): string | undefined {
  const asked = spawnSync('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], { encoding: 'utf8' })
  const version = asked.status === 0 ? asked.stdout.trim() : 'none'
  return version === wanted ? undefined : `it needs python3 ${wanted}, and here is ${version}`
}
