import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packages } from './packages.mjs'
import { Advice, inRoot } from './workspace.mjs'

/** Gives the packages, the repository and the manifests for Kubernetes this version, and the head of the change log its number and date. */
export function setVersion([version], { today = new Date() } = {}) {
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version ?? '')) {
    throw new Advice(`usage: npm run set-version -- X.Y.Z; got ${JSON.stringify(version ?? '')}`)
  }
  const manifests = [inRoot('package.json'), ...packages().map(({ directory }) => `${directory}/package.json`)]
  for (const file of manifests) change(file, /("version": )"[^"]*"/, `$1"${version}"`)
  const deploy = inRoot('deploy/kubernetes')
  for (const file of readdirSync(deploy)) change(join(deploy, file), /(image: poolmq:)\S+/, `$1${version}`)
  change(inRoot('CHANGELOG.md'), /^## Unreleased.*$/m, `## ${version} (${today.toISOString().slice(0, 10)})`)
}

function change(file, pattern, replacement) {
  const text = readFileSync(file, 'utf8')
  if (pattern.test(text)) writeFileSync(file, text.replace(pattern, replacement))
}
