/** A folder of task modules that a test writes, removed when the test's scope ends. */
import { cpSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Scratch } from './latch.js'

const packages = realpathSync(join(import.meta.dirname, '../../packages'))

export class TaskFolder implements Disposable {
  readonly #scratch = new Scratch()
  readonly directory = realpathSync(this.#scratch.directory)

  constructor() {
    this.#link('client', 'worker', 'shared')
  }

  /** Gives the folder an installed copy of the packages of its own. */
  installCopy(): void {
    const modules = join(this.directory, 'copy/node_modules')
    for (const name of ['shared', 'worker', 'client']) {
      const from = join(packages, name)
      const to = join(modules, '@poolmq', name)
      cpSync(join(from, 'dist'), join(to, 'dist'), { recursive: true })
      cpSync(join(from, 'package.json'), join(to, 'package.json'))
      for (const dependency of readdirSync(join(from, 'node_modules'))) {
        if (dependency.startsWith('@') || dependency.startsWith('.')) continue
        symlink(realpathSync(join(from, 'node_modules', dependency)), join(modules, dependency))
      }
    }
  }

  /** Writes a module; returns its path. */
  write(name: string, source: string): string {
    const path = join(this.directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, source)
    return path
  }

  /** Makes a link to what is at the other path. */
  link(name: string, target: string): string {
    const path = join(this.directory, name)
    symlink(target, path)
    return path
  }

  url(name: string): string {
    return pathToFileURL(join(this.directory, name)).href
  }

  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]()
  }

  #link(...names: readonly string[]): void {
    for (const name of names) this.link(`node_modules/@poolmq/${name}`, join(packages, name))
  }
}

function symlink(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  try {
    symlinkSync(target, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // two packages have this dependency
  }
}
