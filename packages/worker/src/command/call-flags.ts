/** What the commands that call tasks have in common: options of the call, and results as JSON. */
import { CommandFailure } from './exit-code.js'
import type { MonitorFlags } from './monitor-command.js'

export interface CallFlags extends MonitorFlags {
  readonly timeout?: number
  readonly retries?: number
  readonly wait: number
}

/** The options of a call that were given as flags. */
export function callOptions({ timeout, retries }: Pick<CallFlags, 'timeout' | 'retries'>): object {
  return { ...(timeout !== undefined && { timeout }), ...(retries !== undefined && { retries }) }
}

/** @throws CommandFailure for a value that has no JSON. */
export function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch (error) {
    throw new CommandFailure(`the result cannot be printed as JSON: ${(error as Error).message}`)
  }
}
