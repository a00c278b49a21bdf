// The dashboard's page: draws each look at the pool that it is sent, whole. Names come from others' records: they are
// only ever text here, never markup.

import { Plot } from './charts.js'
import htm from './lib/htm.js'
import { h, render } from './lib/preact.js'

const html = htm.bind(h)
const top = document.getElementById('app')
const details = document.getElementById('details')
const charts = document.getElementById('charts')
const streamed = 60_000 // milliseconds of the task stream

let about = { pools: [], allowControl: false }
let pool
let source
let snapshot
let lost = false
let notice = ''
let before // what the last look had counted
let throughput = 0
let plots
/** Of each process, the chunks that it has run lately, by when they began. */
const spans = new Map()

async function start() {
  about = await (await fetch('./api/about')).json()
  follow(new URLSearchParams(location.search).get('pool') ?? about.pools[0])
}

function follow(name) {
  pool = name
  snapshot = undefined
  before = undefined
  spans.clear()
  for (const plot of Object.values(plots ?? {})) plot.clear()
  source?.close()
  source = new EventSource(`./api/events?pool=${encodeURIComponent(name)}`)
  source.onmessage = (event) => {
    lost = false
    take(JSON.parse(event.data))
  }
  source.onerror = () => {
    lost = true
    draw()
  }
}

function take(next) {
  snapshot = next
  if (next.error === undefined) {
    count(next)
    keepSpans(next)
    charts.hidden = false
    plots ??= {
      throughput: new Plot(document.getElementById('throughput'), '#2a9d76'),
      wait: new Plot(document.getElementById('wait'), '#c9752d'),
    }
    plots.throughput.add(next.at, throughput)
    plots.wait.add(next.at, (next.stats.oldestWaiting ?? 0) / 1000)
  }
  draw()
}

/** Items a second: by what the processes of both looks have run in between. */
function count(next) {
  const items = new Map()
  for (const host of next.hosts) {
    for (const one of host.report?.processes ?? []) items.set(`${host.id}:${one.pid}`, one.items)
  }
  if (before !== undefined && next.at > before.at) {
    let run = 0
    for (const [id, now] of items) run += Math.max(0, now - (before.items.get(id) ?? now))
    throughput = (run * 1000) / (next.at - before.at)
  }
  before = { at: next.at, items }
}

function keepSpans(next) {
  const seen = new Set()
  for (const host of next.hosts) {
    for (const one of host.report?.processes ?? []) {
      const id = `${host.id}:${one.pid}`
      seen.add(id)
      const known = spans.get(id) ?? new Map()
      for (const span of one.spans)
        known.set(Math.round((next.at - span.began) / 20), { ...span, at: next.at - span.began })
      for (const [key, span] of known) if (span.at + span.duration < next.at - streamed) known.delete(key)
      spans.set(id, known)
    }
  }
  for (const id of spans.keys()) if (!seen.has(id)) spans.delete(id)
}

async function ask(order, subject) {
  try {
    const response = await fetch(`./api/${order}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ pool, subject }),
    })
    const answer = await response.json()
    notice = answer.error ?? (answer.done ? '' : `${order}: it is not there any more`)
  } catch (error) {
    notice = `${order}: ${error.message}`
  }
  draw()
}

const number = (value) => Math.round(value).toLocaleString('en')
const bytes = (value) => (value === null ? '–' : `${number(value / 2 ** 20)} MiB`)
function time(milliseconds) {
  if (milliseconds === null) return '–'
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = Math.round(milliseconds / 1000)
  return seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`
}

/** A colour of its own for each task, the same on every page. */
function colour(task) {
  let sum = 0
  for (let i = 0; i < task.length; i++) sum = (sum * 31 + task.charCodeAt(i)) % 360
  return `hsl(${sum} 55% 50%)`
}

const Tile = ({ name, value }) => html`<div class="tile"><span class="quiet">${name}</span><b>${value}</b></div>`
const Control = ({ order, subject, children }) =>
  about.allowControl
    ? html`<button data-order=${order} onClick=${() => ask(order, subject)}>${children}</button>`
    : null

const Head = () => html`
  <header>
    <h1>PoolMQ</h1>
    ${
      about.pools.length > 1
        ? html`<select value=${pool} onChange=${(event) => follow(event.target.value)}>
            ${about.pools.map((name) => html`<option value=${name}>${name}</option>`)}
          </select>`
        : html`<span>pool <b id="pool">${pool}</b></span>`
    }
    ${snapshot?.stats?.paused ? html`<b class="error">paused</b>` : null}
    ${snapshot?.stats?.paused ? html`<${Control} order="resume">resume<//>` : html`<${Control} order="pause">pause<//>`}
    ${about.allowControl ? null : html`<span class="quiet">read-only</span>`}
    ${lost ? html`<span class="error" id="lost">the dashboard does not answer; trying again</span>` : null}
    ${snapshot?.error ? html`<span class="error" id="error">${snapshot.error}</span>` : null}
    ${notice ? html`<span class="error" id="notice">${notice}</span>` : null}
  </header>
`

const Tiles = ({ stats }) => html`
  <div class="tiles" id="tiles">
    <${Tile} name="waiting chunks" value=${number(stats.waiting)} />
    <${Tile} name="running chunks" value=${number(stats.running)} />
    <${Tile} name="oldest waiting" value=${time(stats.oldestWaiting)} />
    <${Tile} name="worker processes" value=${number(stats.processes)} />
    <${Tile} name="hosts" value=${number(stats.hosts)} />
    <${Tile} name="items a second" value=${number(throughput)} />
  </div>
`

const Calls = ({ calls }) => html`
  <h2>Open calls</h2>
  ${
    calls.length === 0
      ? html`<p class="quiet">None.</p>`
      : html`<table id="calls">
    <thead><tr><th>call</th><th>task</th><th>method</th><th>progress</th><th class="number">failed</th><th>age</th><th>producer</th><th></th></tr></thead>
    <tbody>${calls.map(
      (call) => html`<tr key=${call.id}>
      <td>${call.id}</td><td>${call.task}</td><td>${call.method}${call.durable === undefined ? null : `, durable ${call.durable}`}</td>
      <td>${call.total === null ? null : html`<progress max=${Math.max(1, call.total)} value=${call.done}></progress>`} ${number(call.done)} / ${call.total === null ? '?' : number(call.total)}${call.backups === undefined ? null : html`, <span title="second copies of chunks that ran for long">${number(call.backups)} backups</span>`}</td>
      <td class="number">${number(Object.values(call.failures).reduce((sum, count) => sum + count, 0))}</td>
      <td>${time(call.age)}</td><td>${call.host}:${call.pid}</td>
      <td><${Control} order="cancel" subject=${call.id}>cancel<//></td>
    </tr>`,
    )}</tbody>
  </table>`
  }
`

const Hosts = ({ hosts }) => html`
  <h2>Hosts and worker processes</h2>
  ${
    hosts.length === 0
      ? html`<p class="quiet">Nobody serves the pool.</p>`
      : html`<table id="hosts">
    <thead><tr><th>host</th><th>process</th><th>version</th><th>lanes</th><th class="number">memory</th><th>age</th><th class="number">chunks</th><th class="number">items</th><th class="number">failed</th><th></th></tr></thead>
    <tbody>${hosts.flatMap((host) => [
      html`<tr key=${host.id}><td><b>${host.host}</b></td><td>supervisor ${host.pid}</td><td>${[host.version ?? '–', host.build].filter(Boolean).join(', build ')}</td>
        <td colspan="6" class="quiet">${host.report === undefined ? '…' : `load ${host.report.load.toFixed(2)}, ${host.report.recycled} recycled, ${host.report.lost} lost`}</td>
        <td>${host.local ? null : html`<${Control} order="drain" subject=${host.id}>drain<//>`}</td></tr>`,
      ...(host.report?.processes ?? []).map(
        (one) => html`<tr key=${`${host.id}:${one.pid}`}><td></td><td>${one.pid}</td><td></td>
        <td>${one.ready ? `${one.running.length} of ${one.lanes}` : 'starting'}</td><td class="number">${bytes(one.memory)}</td><td>${time(one.age)}</td>
        <td class="number">${number(one.chunks)}</td><td class="number">${number(one.items)}</td><td class="number">${number(one.failed)}</td><td></td></tr>`,
      ),
    ])}</tbody>
  </table>`
  }
`

const Stream = ({ hosts, at }) => html`
  <h2>Task stream, last minute</h2>
  <div class="stream" id="stream">
    ${hosts.flatMap((host) =>
      (host.report?.processes ?? []).map(
        (one) => html`<div class="row" key=${`${host.id}:${one.pid}`}>
      <span class="name quiet">${host.host}:${one.pid}</span>
      <svg viewBox="0 0 1000 14" preserveAspectRatio="none">
        ${[...(spans.get(`${host.id}:${one.pid}`)?.values() ?? [])].slice(-500).map((span) => {
          const x = 1000 - ((at - span.at) / streamed) * 1000
          const width = Math.max(1, (span.duration / streamed) * 1000)
          return html`<rect x=${x} y="1" width=${width} height="12" fill=${span.failed > 0 ? '#b3261e' : colour(span.task)}><title>${span.task} ${time(span.duration)}</title></rect>`
        })}
      </svg>
    </div>`,
      ),
    )}
  </div>
`

function Losses({ hosts }) {
  const losses = hosts.flatMap((host) => (host.report?.losses ?? []).map((loss) => ({ host: host.host, ...loss })))
  if (losses.length === 0) return null
  return html`<h2>Worker processes lost</h2>
    <table id="losses"><thead><tr><th>host</th><th>process</th><th>reason</th><th>ago</th></tr></thead>
    <tbody>${losses.sort((a, b) => a.age - b.age).map((loss) => html`<tr><td>${loss.host}</td><td>${loss.pid}</td><td>${loss.reason}</td><td>${time(loss.age)}</td></tr>`)}</tbody></table>`
}

let isDrawn = false

function draw() {
  if (!isDrawn) top.textContent = ''
  isDrawn = true
  const known = snapshot?.stats !== undefined
  render(html`<div><${Head} />${known ? html`<${Tiles} stats=${snapshot.stats} />` : null}</div>`, top)
  if (!known) return
  const { calls, hosts, at } = snapshot
  render(
    html`<div><${Calls} calls=${calls} /><${Hosts} hosts=${hosts} /><${Stream} hosts=${hosts} at=${at} /><${Losses} hosts=${hosts} /></div>`,
    details,
  )
}

start().catch((error) => {
  top.textContent = error.message
})
