// What the packages export, read from their compiled declarations: members, signatures, comments. Also finds what
// a reader could not name: types that stand in signatures and are not exported, links and tags that lead nowhere.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inRoot } from './workspace.mjs'

/** The entry points that users import, and those that only our own packages do. One beside another uses its types. */
export const entries = [
  { name: '@poolmq/client', package: 'client', file: 'index', bundled: ['@poolmq/shared', '@poolmq/worker'] },
  {
    name: '@poolmq/client/testing',
    package: 'client',
    file: 'testing',
    bundled: ['@poolmq/shared', '@poolmq/worker'],
    beside: '@poolmq/client',
  },
  { name: '@poolmq/worker/inline', package: 'worker', file: 'inline', bundled: [] },
  { name: '@poolmq/worker/supervisor', package: 'worker', file: 'supervisor/supervisor', bundled: ['@poolmq/shared'] },
  { name: '@poolmq/worker', package: 'worker', file: 'index', bundled: [] },
  { name: '@poolmq/shared', package: 'shared', file: 'index', bundled: [] },
]

/** The model of one entry point, as api-extractor has it, and what it complains of. */
export async function readApi(entry) {
  // Loaded here and not above: it is there only once the dependencies are installed.
  const { Extractor, ExtractorConfig } = await import('@microsoft/api-extractor')
  const projectFolder = inRoot('packages', entry.package)
  const directory = mkdtempSync(join(tmpdir(), 'poolmq-api-'))
  const apiJsonFilePath = join(directory, 'api.json')
  const report = (logLevel) => ({ default: { logLevel } })
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(projectFolder, 'package.json'),
    configObject: {
      projectFolder,
      mainEntryPointFilePath: join(projectFolder, 'dist', `${entry.file}.d.ts`),
      bundledPackages: entry.bundled,
      compiler: {
        overrideTsconfig: {
          extends: inRoot('tsconfig.base.json'),
          compilerOptions: { composite: false, typeRoots: [inRoot('node_modules/@types')] },
          files: [join(projectFolder, 'dist', `${entry.file}.d.ts`)],
        },
      },
      apiReport: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      docModel: { enabled: true, apiJsonFilePath, includeForgottenExports: false },
      messages: {
        compilerMessageReporting: report('warning'),
        extractorMessageReporting: { ...report('warning'), 'ae-missing-release-tag': { logLevel: 'none' } },
        tsdocMessageReporting: report('warning'),
      },
    },
  })
  const complaints = []
  try {
    Extractor.invoke(config, {
      localBuild: true,
      messageCallback: (message) => {
        message.handled = true
        if (message.logLevel !== 'warning' && message.logLevel !== 'error') return
        const { sourceFilePath, sourceFileLine, text } = message
        complaints.push(
          `${entry.name}: ${sourceFilePath?.replace(inRoot('/'), '') ?? ''}:${sourceFileLine ?? ''} ${text}`,
        )
      },
    })
    return { model: JSON.parse(readFileSync(apiJsonFilePath, 'utf8')), complaints }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
