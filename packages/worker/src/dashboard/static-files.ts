/** The files of the page: its own, and those of three small libraries, as they were published. Nothing comes from elsewhere. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface StaticFile {
  readonly type: string
  readonly body: Buffer
}

const types = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
} as const

const require = createRequire(import.meta.url)
const page = fileURLToPath(new URL('../../dashboard/', import.meta.url))
/** A file beside a package's entry. */
const published = (name: string, file: string) => join(dirname(require.resolve(name)), file)

/** By path; anything else is not there, whatever the path says. */
const paths: Readonly<Record<string, () => string>> = {
  '/': () => join(page, 'index.html'),
  '/app.js': () => join(page, 'app.js'),
  '/charts.js': () => join(page, 'charts.js'),
  '/style.css': () => join(page, 'style.css'),
  '/icon.svg': () => join(page, 'icon.svg'),
  '/lib/preact.js': () => published('preact', 'preact.mjs'),
  '/lib/htm.js': () => published('htm', 'htm.module.js'),
  '/lib/uplot.js': () => published('uplot', 'uPlot.esm.js'),
  '/lib/uplot.css': () => published('uplot', 'uPlot.min.css'),
}

const read = new Map<string, StaticFile>()

export function staticFile(path: string): StaticFile | undefined {
  const known = read.get(path)
  if (known !== undefined) return known
  const file = Object.hasOwn(paths, path) ? paths[path]?.() : undefined
  if (file === undefined) return undefined
  const ending = file.slice(file.lastIndexOf('.') + 1) as keyof typeof types
  const made = { type: types[ending], body: readFileSync(file) }
  read.set(path, made)
  return made
}
