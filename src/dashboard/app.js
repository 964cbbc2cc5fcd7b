// Draws /api/topology (its shape: src/dashboard/api.ts) every two seconds. No style attributes: the page's policy is self only.
const REFRESH_MS = 2000
const SHARD_COLOURS = 6
const SVG = 'http://www.w3.org/2000/svg'

let previous = null

function element(name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'class') made.className = value
    else made.setAttribute(key, value)
  }
  made.append(...children.filter(child => child !== null))
  return made
}

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  made.append(...children)
  return made
}

function colour(index) {
  return `var(--shard-${index % SHARD_COLOURS})`
}

function count(value) {
  return new Intl.NumberFormat().format(value)
}

function rate(now, before, seconds) {
  if (before === undefined || seconds <= 0) return '–'
  const value = Math.max(0, now - before) / seconds
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)
}

function lag(seconds) {
  if (seconds === null) return '–'
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`
}

function figure(label, value) {
  return element('div', { class: 'figure' }, element('b', {}, value), element('span', {}, label))
}

function slotBar(database) {
  const total = database.slotMap.reduce((sum, [, slots]) => sum + slots, 0)
  const names = database.shards.map(shard => shard.name)
  const label = database.shards.map(shard => `${shard.name} ${shard.slotsPercent} %`).join(', ')
  const bar = shape('svg', {
    class: 'slots',
    viewBox: `0 0 ${total} 100`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': `Slots: ${label}`,
  })
  for (const [first, slots, name] of database.slotMap) {
    const title = shape('title', {}, `${name}: slots ${first} to ${first + slots - 1}`)
    bar.append(shape('rect', { x: first, y: 0, width: slots, height: 100, fill: colour(names.indexOf(name)) }, title))
  }
  return bar
}

function nodeRow(node) {
  const state = node.reachable ? 'up' : 'down'
  const roleClass = node.role === 'unknown' ? 'warn' : ''
  return element(
    'tr',
    {},
    element('td', {}, element('code', {}, node.address)),
    element('td', { class: roleClass }, node.role === 'primary' ? element('b', {}, 'primary') : node.role),
    element('td', { class: node.reachable ? 'good' : 'bad' }, state),
    element('td', { class: 'number' }, lag(node.lagSeconds)),
    element('td', { class: 'number' }, `${count(node.serversActive)} / ${count(node.servers)}`),
    element('td', { class: node.clientsWaiting > 0 ? 'number warn' : 'number' }, count(node.clientsWaiting)),
  )
}

function shardCard(shard, index) {
  const dot = shape('svg', { class: 'dot', viewBox: '0 0 10 10', 'aria-hidden': 'true' })
  dot.append(shape('circle', { cx: 5, cy: 5, r: 5, fill: colour(index) }))
  const note = `${shard.slotsPercent} % of the slots · term ${shard.term}${shard.defaultShard ? ' · default shard' : ''}`
  const heads = [
    ['node', ''],
    ['role', ''],
    ['state', ''],
    ['lag', 'number'],
    ['active / servers', 'number'],
    ['waiting', 'number'],
  ]
  return element(
    'section',
    { class: 'shard', 'aria-label': `Shard ${shard.name}` },
    element('h3', {}, dot, shard.name, element('span', { class: 'note' }, note)),
    element(
      'table',
      {},
      element(
        'thead',
        {},
        element('tr', {}, ...heads.map(([text, name]) => element('th', { class: name, scope: 'col' }, text))),
      ),
      element('tbody', {}, ...shard.nodes.map(nodeRow)),
    ),
  )
}

function databaseSection(database, before, seconds) {
  const reads = database.readsOnReplicas + database.readsOnPrimaries
  const share = reads === 0 ? '–' : `${Math.round((database.readsOnReplicas * 100) / reads)} %`
  return element(
    'section',
    { class: 'database', 'aria-label': `Database ${database.name}` },
    element('h2', {}, database.name),
    element(
      'div',
      { class: 'figures' },
      figure('queries / s', rate(database.queries, before?.queries, seconds)),
      figure('transactions / s', rate(database.transactions, before?.transactions, seconds)),
      figure('errors / s', rate(database.errors, before?.errors, seconds)),
      figure('reads on replicas', share),
      figure('clients, active', `${count(database.clients)}, ${count(database.clientsActive)}`),
      figure('clients waiting', count(database.clientsWaiting)),
      figure('server connections', count(database.servers)),
    ),
    slotBar(database),
    element('div', { class: 'shards' }, ...database.shards.map(shardCard)),
  )
}

function served(shard) {
  return shard.nodes.some(node => node.reachable && node.role === 'primary')
}

function health(view) {
  const shards = view.databases.flatMap(database => database.shards)
  if (!view.ready) return ['bad', 'not ready']
  if (!shards.every(served)) return ['bad', 'a shard has no primary']
  if (shards.some(shard => shard.nodes.some(node => !node.reachable))) return ['warn', 'a node is down']
  return ['good', 'all nodes up']
}

function badge([name, text]) {
  const place = document.getElementById('health')
  place.className = `badge ${name}`
  place.textContent = text
}

function draw(view) {
  const seconds = previous === null ? 0 : (view.atMs - previous.atMs) / 1000
  const old = new Map(previous?.databases.map(database => [database.name, database]))
  document
    .getElementById('databases')
    .replaceChildren(...view.databases.map(database => databaseSection(database, old.get(database.name), seconds)))
  const clients = view.workers.reduce((sum, worker) => sum + worker.clients, 0)
  document.getElementById('summary').textContent =
    `${view.version} · epoch ${view.epoch} · ${view.workers.length} workers · ${count(clients)} clients`
  document.getElementById('refreshed').textContent = `as of ${new Date(view.atMs).toLocaleTimeString()}`
  badge(health(view))
  if (seconds > 0 || previous === null) previous = view
}

async function refresh() {
  try {
    const answer = await fetch('api/topology', { cache: 'no-store', signal: AbortSignal.timeout(5000) })
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
    draw(await answer.json())
  } catch {
    badge(['bad', 'no answer from the proxy'])
  } finally {
    setTimeout(() => void refresh(), REFRESH_MS)
  }
}

void refresh()
