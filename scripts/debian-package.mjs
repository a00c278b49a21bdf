import { dirname } from 'node:path'
import { findIn, runInForeground } from './programs.mjs'
import { say } from './workspace.mjs'

// Where Debian installs programs, and what dpkg needs on PATH, whatever PATH we were started with.
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Installs a package for a program of it. Resolves with the program's path and the PATH that finds it, or with the
 * `reason` why not.
 */
export async function installDebianPackage(name, program) {
  const searchPath = `${process.env.PATH}:${systemPath}`
  const aptGet = findIn(searchPath, 'apt-get')
  if (!aptGet) return { reason: 'there is no apt-get' }
  if (process.getuid?.() !== 0) return { reason: 'not running as root' }
  say(`installing Debian's package ${name}`)
  const env = { DEBIAN_FRONTEND: 'noninteractive', PATH: searchPath }
  // Another apt-get may be at work: one that updates the lists does that for us too, one that installs is waited for.
  // A network that is not there is found out soon.
  const options = [
    '-qq',
    '-o',
    'DPkg::Lock::Timeout=300',
    '-o',
    'Acquire::Retries=0',
    '-o',
    'Acquire::http::Timeout=20',
  ]
  const apt = (...args) => runInForeground(aptGet, [...options, ...args], { env, stdin: 'ignore' })
  await apt('update')
  const code = await apt('install', '-y', '--no-install-recommends', name)
  if (code !== 0) return { reason: `apt-get failed with exit code ${code}` }
  const path = findIn(searchPath, program)
  if (!path) return { reason: `the package ${name} brought no ${program}` }
  return { program: path, searchPath: `${process.env.PATH}:${dirname(path)}` }
}
