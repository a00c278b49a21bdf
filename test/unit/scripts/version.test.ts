// `npm run set-version`: one command for all packages, in a copy of what it changes.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { root } from '../../support/code-block.js'
import { TemporaryDirectory } from '../../support/redis-process.js'

const copy = new TemporaryDirectory('version')
afterAll(() => copy[Symbol.dispose]())

const manifests = ['package.json', ...['shared', 'worker', 'client'].map((name) => `packages/${name}/package.json`)]
for (const file of ['scripts', 'deploy/kubernetes', ...manifests]) {
  mkdirSync(join(copy.path, file, '..'), { recursive: true })
  cpSync(join(root, file), join(copy.path, file), { recursive: true })
}

const changeLog = join(copy.path, 'CHANGELOG.md')
writeFileSync(changeLog, '# Changelog\n\n## Unreleased (soon)\n\n- this\n')

const setVersion = (...args: string[]) =>
  spawnSync(process.execPath, [join(copy.path, 'scripts/run.mjs'), 'version', ...args], { encoding: 'utf8' })
const versions = () =>
  manifests.map((file) => (JSON.parse(readFileSync(join(copy.path, file), 'utf8')) as { version: string }).version)

test('all packages have one version', () => {
  expect(new Set(versions()).size).toBe(1)
})

test.each([[[]], [['1.2']], [['v1.2.3']], [['1.2.3', '; rm -rf /'].slice(1)]])('refuses %j', (args) => {
  const before = versions()
  const { status, stderr } = setVersion(...args)
  expect(status).toBe(1)
  expect(stderr).toContain('usage: npm run set-version -- X.Y.Z')
  expect(versions()).toEqual(before)
})

test.each(['9.8.7', '10.0.0-beta.1'])('%s, everywhere', (version) => {
  expect(setVersion(version).status).toBe(0)
  expect(versions()).toEqual(manifests.map(() => version))
  const deployment = readFileSync(join(copy.path, 'deploy/kubernetes/worker-deployment.yaml'), 'utf8')
  expect(deployment).toContain(`image: poolmq:${version}\n`)
})

test('the open part of the change log gets the version and the date', () => {
  expect(readFileSync(changeLog, 'utf8')).toMatch(/^# Changelog\n\n## 9\.8\.7 \(\d{4}-\d\d-\d\d\)\n\n- this$/m)
})
