/**
 * Spans of OpenTelemetry: one for a call in its producer, one for each chunk in the worker process that runs it, in the same
 * trace. `@opentelemetry/api` is used when the process has set it up, which shows in a global of its; else nothing is loaded
 * and nothing is asked. The context travels in the chunk's header, in the form that the process's propagator gives it.
 */
import { createRequire } from 'node:module'
import type * as OpenTelemetry from '@opentelemetry/api'

/** A context as it travels: `traceparent`, `tracestate`, `baggage`, … */
export type Carrier = Readonly<Record<string, string>>

/** The span of a call. */
export interface CallSpan {
  /** What its chunks take with them. */
  readonly carrier: Carrier
  end(outcome: { readonly done: number; readonly failed: number; readonly error?: unknown }): void
}

/** The span of a chunk. */
export interface ChunkSpan {
  /** Runs something in its context: spans that are made there are its children. */
  run<T>(work: () => T): T
  end(outcome: { readonly items: number; readonly failed: number }): void
}

/** Where the API keeps what was set up, the same for all of its versions 1.x and all of its copies. */
const registry = Symbol.for('opentelemetry.js.api.1')

let loaded: typeof OpenTelemetry | null | undefined

function api(): typeof OpenTelemetry | undefined {
  if ((globalThis as { [registry]?: unknown })[registry] === undefined) return undefined
  if (loaded === undefined) loaded = load()
  return loaded ?? undefined
}

/** Beside this package as its optional peer, or where the program was started. */
function load(): typeof OpenTelemetry | null {
  for (const from of [import.meta.url, `${process.cwd()}/package.json`]) {
    try {
      return createRequire(from)('@opentelemetry/api') as typeof OpenTelemetry
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  process.emitWarning(
    'OpenTelemetry is set up in this process, but @opentelemetry/api cannot be found: no spans are made',
    {
      code: 'POOLMQ_NO_TRACING',
    },
  )
  return null
}

/** Begins the span of a call, in the context in which it was made; undefined when nobody traces. */
export function startCallSpan(pool: string, method: string, task: string): CallSpan | undefined {
  const otel = api()
  if (otel === undefined) return undefined
  const span = otel.trace.getTracer('poolmq').startSpan(`${method} ${task}`, {
    kind: otel.SpanKind.PRODUCER,
    attributes: { 'messaging.system': 'poolmq', 'messaging.destination.name': pool, 'poolmq.task': task },
  })
  const carrier: Record<string, string> = {}
  otel.propagation.inject(otel.trace.setSpan(otel.context.active(), span), carrier)
  return {
    carrier,
    end: ({ done, failed, error }) => {
      span.setAttributes({ 'poolmq.items': done, 'poolmq.items.failed': failed })
      if (error instanceof Error) span.recordException(error)
      if (error !== undefined || failed > 0) {
        span.setStatus({
          code: otel.SpanStatusCode.ERROR,
          message: error instanceof Error ? error.message : `${failed} items failed`,
        })
      }
      span.end()
    },
  }
}

/** Begins the span of a chunk: a child of its call's, and linked to it; undefined when nobody traces. */
export function startChunkSpan(
  carrier: Carrier | undefined,
  pool: string,
  task: string,
  chunk: string,
): ChunkSpan | undefined {
  const otel = api()
  if (otel === undefined) return undefined
  const parent = otel.propagation.extract(otel.ROOT_CONTEXT, carrier ?? {})
  const caller = otel.trace.getSpanContext(parent)
  const span = otel.trace.getTracer('poolmq').startSpan(
    `chunk ${task}`,
    {
      kind: otel.SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'poolmq',
        'messaging.destination.name': pool,
        'messaging.message.id': chunk,
        'poolmq.task': task,
      },
      ...(caller !== undefined && { links: [{ context: caller }] }),
    },
    parent,
  )
  const context = otel.trace.setSpan(parent, span)
  return {
    run: (work) => otel.context.with(context, work),
    end: ({ items, failed }) => {
      span.setAttributes({ 'poolmq.items': items, 'poolmq.items.failed': failed })
      if (failed > 0) span.setStatus({ code: otel.SpanStatusCode.ERROR, message: `${failed} items failed` })
      span.end()
    },
  }
}
