/**
 * Why a task module does not load, with the user's own file and line. Node tells the place of most failures in the
 * stack, that of a missing import in words and without the line, and that of a syntax error only where it prints it.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { attempt, describeValue, isError, ModuleError } from '@poolmq/shared'
import { loadingAdvice } from './loading-advice.js'

/** Milliseconds that the search for a syntax error may take. */
const searchLimit = 10_000
/** Characters of a URL in a message: a module may be one whole `data:` URL. */
const longestUrl = 300

/** Where this package and its siblings are, in a workspace. */
const ownFolders = [
  new URL('../', import.meta.url).href,
  new URL('.', import.meta.resolve('@poolmq/shared')).href,
  new URL('../../../client/dist/', import.meta.url).href,
]
const importer = fileURLToPath(new URL('./module-loader.js', import.meta.url))

/** The error of a module that does not load. Its stack holds the frames of the user's own files. */
export async function importFailure(url: string, cause: unknown): Promise<ModuleError> {
  const reason = isError(cause) ? (attempt(() => String(cause.message)) ?? '') : describeValue(cause)
  const frames = framesOf(cause)
  const place =
    placeOf(frames[0]) ?? importerIn(reason) ?? (isSyntaxError(cause) ? await searchSyntaxError(url) : undefined)
  const missing = reason.endsWith(`imported from ${importer}`) // the module itself is not there
  const isDirectory = attempt(() => (cause as NodeJS.ErrnoException).code) === 'ERR_UNSUPPORTED_DIR_IMPORT'
  const what = !missing ? reason : isDirectory ? 'it is a directory; name its file' : 'Node finds no such file'
  const where = place === undefined || missing ? '' : ` (at ${place})`
  // The cause's stack stands in this one's place: it would be printed after it.
  const message = `the task module ${shorten(url)} does not load: ${what}${where}${attempt(() => loadingAdvice(cause)) ?? ''}`
  const error = new ModuleError(message, { module: url })
  error.stack = [`${error.name}: ${error.message}`, ...frames.filter((frame) => /^\s+at /.test(frame))].join('\n')
  return error
}

const shorten = (url: string): string => (url.length > longestUrl ? `${url.slice(0, longestUrl)}…` : url)

const isSyntaxError = (error: unknown): boolean => isError(error) && attempt(() => error.name) === 'SyntaxError'

/** The lines of its stack that name files of the user's. */
function framesOf(error: unknown): string[] {
  const stack = isError(error) ? attempt(() => error.stack) : undefined
  if (typeof stack !== 'string') return []
  const message = attempt(() => String((error as Error).message)) ?? ''
  const lines = stack.replace(message, '').split('\n')
  return lines.filter((line) => placeOf(line) !== undefined)
}

/** The file and line in a line of a stack, unless it is ours or Node's. */
function placeOf(line: string | undefined): string | undefined {
  const found = /(?:^|[\s(])((?:file:\/\/)?\/[^()]*?|data:[^()]*?|[A-Z]:\\[^()]*?):(\d+)(:\d+)?\)?$/.exec(line ?? '')
  if (found === null) return undefined
  const [, file = '', row, column = ''] = found
  const url = file.startsWith('/') ? pathToFileURL(file).href : file
  const isOurs = ownFolders.some((folder) => url.startsWith(folder)) || url.includes('/node_modules/@poolmq/')
  return isOurs ? undefined : `${shorten(url)}:${row}${column}`
}

/** Of `Cannot find package 'x' imported from /path/to/module.js`: that file, and the line that names what is missing. */
function importerIn(reason: string): string | undefined {
  const found = /'([^']+)'.* imported from (.+)$/.exec(reason)
  if (found === null) return undefined
  const [, missing = '', importer = ''] = found
  const name = missing.split('/').at(-1) ?? missing
  try {
    const lines = readFileSync(importer.startsWith('file:') ? fileURLToPath(importer) : importer, 'utf8').split('\n')
    const row = lines.findIndex((line) => /import|require|from/.test(line) && line.includes(name))
    return `${pathToFileURL(importer).href}${row < 0 ? '' : `:${row + 1}`}`
  } catch {
    return undefined // it is no file: the reason names it
  }
}

/**
 * Has another Node tell where the syntax error is. The module and what it imports are read there and not run: what is
 * imported before them throws. What the module imports while it runs is looked at as well, where it says so in words.
 */
function searchSyntaxError(url: string): Promise<string | undefined> {
  const modules = [url, ...importsOf(url)].map((name) => `import ${JSON.stringify(name)}`)
  const program = ["import 'data:text/javascript,throw 0'", ...modules].join(';')
  const args = [...process.execArgv, '--input-type=module', '--eval', program]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: searchLimit }, (_error, _stdout, stderr) => {
      resolve(
        stderr
          .split('\n')
          .map(placeOf)
          .find((place) => place !== undefined && !place.startsWith('data:')),
      )
    })
  })
}

/** The files that a module names in calls of `import`. */
function importsOf(url: string): string[] {
  try {
    const source = readFileSync(new URL(url), 'utf8')
    return [...source.matchAll(/\bimport\(\s*['"](\.[^'"]+)['"]/g)].map(([, name = '']) => new URL(name, url).href)
  } catch {
    return [] // it is no file
  }
}
