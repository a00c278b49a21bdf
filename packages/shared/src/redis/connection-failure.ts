/** Says of a connection that failed what happened, and what to do about it, without giving passwords away. */

import { ConnectionError } from '../errors/errors.js'
import { type ConnectionTarget, describeTarget } from './connection-options.js'

/** The one error of a connection that could not be opened. */
export function explainFailure(error: unknown, target: ConnectionTarget): ConnectionError {
  if (error instanceof ConnectionError) return error
  const cause = withoutSecrets(error instanceof Error ? error : new Error(String(error)))
  const { code, message } = innermost(cause)
  const known = FAILURES.find(([pattern]) => pattern.test(`${code ?? ''} ${message}`))
  const what = known ? `${known[1]} (${code ?? message}). ${known[2]}` : message
  return new ConnectionError(`Cannot connect to Redis at ${describeTarget(target)}: ${what}`, { cause })
}

/** ioredis puts the command on the error of its reply: of a failed login, with the password. */
export function withoutSecrets<E extends Error>(error: E): E {
  const { command } = error as { command?: { name: string; args: unknown[] } }
  if (command && /^(auth|hello)$/i.test(command.name)) command.args = ['***']
  return error
}

// Node tries all addresses of a name, and reports them in one error without a message.
function innermost(error: Error): { readonly code?: string; readonly message: string } {
  return error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error
}

// Code or message of the error, what it means, what to do. The first that matches counts.
const FAILURES: ReadonlyArray<readonly [RegExp, string, string]> = [
  [/sentinels are unreachable/i, 'no sentinel named the master', 'Check the sentinels and the name of the master'],
  [/EMFILE|ENFILE/, 'no more files can be opened here', 'Close some, or raise the limit (ulimit -n)'],
  [/EADDRNOTAVAIL/, 'this host has no port left for it', 'Close connections, or widen ip_local_port_range'],
  [/ECONNREFUSED/, 'nothing listens there', 'Start Redis, or correct the address (the connection option or REDIS_URL)'],
  [/ENOENT/, 'there is no such socket', 'Start Redis, or correct the path'],
  [/EACCES|EPERM/, 'this user may not open the socket', 'Check its permissions (unixsocketperm)'],
  [/ENOTFOUND|EAI_/, 'the host name does not resolve', 'Correct the host name, or check DNS'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no route to the host', 'Check the network'],
  [
    /WRONGPASS|invalid (username|password)/i,
    'user name or password are wrong',
    'Correct them in the connection option',
  ],
  [
    /NOAUTH|Authentication required/i,
    'it needs a password',
    'Give one: redis://:password@host, or the password option',
  ],
  [/NOPERM/, 'this user may not run the commands that PoolMQ needs', "Extend the user's ACL"],
  [/protected mode/i, 'it is in protected mode, which refuses other hosts', 'Set a password, or bind it to an address'],
  [/max number of clients/i, 'it has as many clients as it takes', 'Raise maxclients'],
  [/DB index/i, 'it has no such database', 'Use a lower number, or raise databases in its configuration'],
  [/cluster support disabled/i, 'it is not a cluster', 'Connect to it without the cluster option'],
  [/MASTERDOWN|READONLY/, 'it is a read-only replica', 'Connect to the master'],
  [/LOADING|still loading/i, 'it is not ready', 'Wait until it has loaded its data, and try again'],
  [/CERT|SELF_SIGNED|UNABLE_TO_/, 'its TLS certificate is not trusted', 'Give its CA: { host, port, tls: { ca } }'],
  [/TLS handshake/, 'it does not answer over TLS', 'Use redis:// instead of rediss://, or check host and port'],
  [/EPROTO|ERR_SSL|wrong version number/i, 'it does not speak TLS', 'Use redis:// instead of rediss://'],
  [/report this/i, 'what answers there is not Redis', 'Correct host and port'],
  [
    /Connection is closed|ECONNRESET|EPIPE/,
    'it closed the connection at once',
    'Perhaps it wants TLS (rediss:// instead of redis://), has as many clients as it takes (maxclients), or is not Redis',
  ],
  [/\bOOM command/, 'its memory is full', 'Raise maxmemory, or wait until there is some again'],
  [/\bBUSY /, 'it is busy with a script', 'Wait until that ends, or end it (SCRIPT KILL)'],
  [/\bMISCONF /, 'it takes nothing, as it cannot save it', 'See to its disk, and its log'],
  [
    /unknown command/i,
    'it does not know a command that PoolMQ needs',
    'Where commands were renamed or switched off there (rename-command), leave this one as it is',
  ],
  [
    /TIMEDOUT|no answer|^ timeout$/i,
    'it does not answer',
    'Check host and port, firewalls, and that what listens there is Redis',
  ],
]
