/** What to do about a task module that this Node.js cannot load, where what it says of that is of little help. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** To be put after Node's own words; empty where they suffice. */
export function loadingAdvice(error: unknown): string {
  const { code, message, url } = error as { code?: unknown; message?: unknown; url?: unknown }
  switch (code) {
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return /\.[cm]?tsx?\b/.test(String(message)) ? typeScriptAdvice() : ''
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return `. Node.js only strips types; what needs more (enums, namespaces, packages in TypeScript) loads with tsx: ${tsx}`
    case 'ERR_MODULE_NOT_FOUND':
      return typeof url === 'string' ? endingAdvice(url) : ''
    default:
      return ''
  }
}

const tsx =
  'start the program with `node --import tsx` (its worker processes are then started so too); under vitest set ' +
  "`test: { execArgv: ['--import', 'tsx'] }`; for a worker host, `NODE_OPTIONS='--import tsx'`"

const typeScriptAdvice = () =>
  `. Node.js ${process.versions.node} cannot load TypeScript by itself. Any one of these helps: Node.js 22.18 or later; ` +
  `tsx: ${tsx}; or compile the module to JavaScript`

/** TypeScript and its tools find `tasks.ts` under the name `tasks.js`; Node itself does not. */
function endingAdvice(url: string): string {
  if (!/^file:.*\.[cm]?js$/.test(url)) return ''
  const source = url.replace(/\.([cm]?)js$/, '.$1ts')
  if (!existsSync(fileURLToPath(source))) return ''
  return `. There is ${source}: Node.js itself takes it under its own name only, import it with the ending .ts; or use tsx: ${tsx}`
}
