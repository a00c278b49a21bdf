// Looks at the packages as they would be published: what publint and attw (are the types wrong?) say of the tarballs,
// and whether the source maps point at sources that are in there.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { packInto } from './packages.mjs'
import { runInForeground, runNode } from './programs.mjs'
import { inRoot, say } from './workspace.mjs'

/** Resolves with 0 when all is well, else with 1; the tools say what is not. */
export async function checkPackages() {
  const directory = mkdtempSync(join(tmpdir(), 'poolmq-packages-'))
  let failed = false
  try {
    for (const [name, tarball] of Object.entries(await packInto(join(directory, 'tarballs')))) {
      const codes = [
        await runNode(inRoot('node_modules/publint/src/cli.js'), ['run', tarball, '--strict']),
        await runNode(inRoot('node_modules/@arethetypeswrong/cli/dist/index.js'), [tarball, '--format', 'ascii']),
        await checkContents(name, tarball, directory),
      ]
      if (codes.some((code) => code !== 0)) failed = true
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  say(failed ? 'the packages are not ready to publish; see above' : 'the packages are ready to publish')
  return failed ? 1 : 0
}

async function checkContents(name, tarball, directory) {
  await runInForeground('tar', ['-xzf', tarball, '-C', directory])
  const root = join(directory, 'package')
  const files = readdirSync(root, { recursive: true })
  const wrong = ['README.md', 'LICENSE'].filter((file) => !files.includes(file)).map((file) => `there is no ${file}`)
  for (const file of files.filter((one) => one.endsWith('.map'))) {
    const path = join(root, file)
    const { sources } = JSON.parse(readFileSync(path, 'utf8'))
    for (const source of sources) {
      if (!existsSync(resolve(dirname(path), source)))
        wrong.push(`${file} refers to ${source}, which is not in the package`)
    }
  }
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  if (manifest.includes('workspace:')) wrong.push('package.json refers to the workspace')
  rmSync(root, { recursive: true })
  for (const reason of wrong) say(`@poolmq/${name}: ${reason}`)
  return wrong.length === 0 ? 0 : 1
}
