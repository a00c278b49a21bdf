/**
 * Opens contestants and has them play in turns: A B C A B C …, one round being one turn of each. Each has a turn before
 * the first round that does not count, so that connections stand and code is compiled. A peer that cannot be had is
 * reported as absent with the reason, and the others play on.
 */
import { Contestant } from './contestant.js'
import type { Answer, Job, Setup } from './job.js'
import type { Peer } from './peer.js'

export interface Turn {
  /** The name under which the answers are found. */
  readonly label: string
  readonly peer: Peer
  readonly job: Job
  readonly setup?: Partial<Setup>
}

export type Answers = readonly Answer[] | { readonly absent: string }

export interface ArenaOptions {
  readonly rounds: number
  /** Names of the peers that may play. */
  readonly peers: ReadonlySet<string> | undefined
  readonly redisUrl: string
  readonly say: (line: string) => void
}

export class Arena {
  readonly #options: ArenaOptions
  readonly #open = new Map<string, Contestant>()

  constructor(options: ArenaOptions) {
    this.#options = options
  }

  get rounds(): number {
    return this.#options.rounds
  }

  get redisUrl(): string {
    return this.#options.redisUrl
  }

  /** Why this peer may not play; undefined when it may. */
  leavesOut(peer: Peer): string | undefined {
    const { peers } = this.#options
    return peers === undefined || peers.has(peer.name) ? undefined : 'left out by --peers'
  }

  say(line: string): void {
    this.#options.say(line)
  }

  /** The answers of each turn, by label. */
  async play(turns: readonly Turn[], rounds = this.rounds): Promise<Map<string, Answers>> {
    const absent = new Map<string, string>()
    const answers = new Map<string, Answer[]>()
    const attempt = async (turn: Turn, what: () => Promise<void>) => {
      if (absent.has(turn.label)) return
      try {
        await what()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        absent.set(turn.label, reason)
        this.say(`${turn.label}: ${reason}`)
      }
    }
    try {
      for (const turn of turns) {
        await attempt(turn, async () => {
          const contestant = await this.contestant(turn.peer, turn.setup)
          if (!contestant.can(turn.job.op)) throw new Error(`${turn.peer.name} has no ${turn.job.op}`)
          answers.set(turn.label, [])
          await contestant.run(tenth(turn.job))
        })
      }
      for (let round = 0; round < rounds; round++) {
        for (const turn of turns) {
          await attempt(turn, async () => {
            const contestant = await this.contestant(turn.peer, turn.setup)
            answers.get(turn.label)?.push(await contestant.run(turn.job))
          })
        }
      }
    } finally {
      await this.close()
    }
    return new Map(
      turns.map(({ label }) => {
        const reason = absent.get(label)
        return [label, reason === undefined ? (answers.get(label) ?? []) : { absent: reason }]
      }),
    )
  }

  /** An open contestant; the same one for the same set-up. */
  async contestant(peer: Peer, setup: Partial<Setup> = {}): Promise<Contestant> {
    const whole: Setup = { processes: 2, ...setup }
    const key = `${peer.name} ${JSON.stringify(whole)}`
    const open = this.#open.get(key)
    if (open !== undefined) return open
    const missing = this.leavesOut(peer) ?? peer.missing()
    if (missing !== undefined) throw new Error(missing)
    const contestant = await Contestant.open({ ...peer.command(whole), env: { REDIS_URL: this.redisUrl } })
    this.#open.set(key, contestant)
    return contestant
  }

  /** Ends all contestants. */
  async close(): Promise<void> {
    const open = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(open.map((contestant) => contestant.close()))
  }
}

function tenth(job: Job): Job {
  const few = (count: number) => Math.max(2, Math.ceil(count / 10))
  return job.op === 'apply' ? { ...job, calls: few(job.calls) } : { ...job, items: few(job.items) }
}

/** A figure of each round, or why there is none. */
export function figures(
  answers: Answers | undefined,
  figure: (answer: Answer) => number,
): readonly number[] | { absent: string } {
  if (answers === undefined) return { absent: 'it did not play' }
  return 'absent' in answers ? answers : answers.map(figure)
}
