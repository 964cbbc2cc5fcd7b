/** The HTTP side: /metrics, /healthz, /readyz, the dashboard's page and its data. Reads only, no state of its own. */
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { extname } from 'node:path'
import { METRICS_CONTENT_TYPE } from '../observe/metrics.ts'
import { listenError } from './acceptor.ts'

export interface HttpOptions {
  readonly host: string
  readonly port: number
  /** Other processes may listen on the same address. */
  readonly reusePort: boolean
  /** null: ready; else why not. */
  readonly notReady: () => string | null
  readonly metrics: () => Promise<string>
  readonly topology: () => Promise<unknown>
  /** Folder of the dashboard's files. */
  readonly dashboard: URL
  readonly failed: (error: unknown) => void
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const HEADERS = {
  'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
}

function plain(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

export class HttpServer {
  readonly #options: HttpOptions
  readonly #server: http.Server

  constructor(options: HttpOptions) {
    this.#options = options
    this.#server = http.createServer({ requestTimeout: 10_000, maxHeaderSize: 16_384 }, (request, response) => {
      this.#answer(request).then(
        answer => this.#write(request, response, answer),
        (error: unknown) => {
          options.failed(error)
          this.#write(request, response, plain(500, 'internal error'))
        },
      )
    })
  }

  listen(): Promise<void> {
    const { host, port, reusePort } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('error', error => reject(listenError(error, 'http', host, port)))
      this.#server.listen({ host, port, ...(reusePort ? { reusePort } : {}) }, () => {
        this.#server.on('error', this.#options.failed)
        resolve()
      })
    })
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#options.port
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request: http.IncomingMessage): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET and HEAD')
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    if (path === '/healthz') return plain(200, 'ok')
    if (path === '/readyz') {
      const reason = this.#options.notReady()
      return reason === null ? plain(200, 'ready') : plain(503, reason)
    }
    if (path === '/metrics') return { status: 200, type: METRICS_CONTENT_TYPE, body: await this.#options.metrics() }
    if (path === '/api/topology') {
      return {
        status: 200,
        type: 'application/json; charset=utf-8',
        body: JSON.stringify(await this.#options.topology()),
      }
    }
    return this.#file(path === '/' ? '/index.html' : path)
  }

  /** Only plain names of known types in the one folder: no path of the request ever leaves it. */
  async #file(path: string): Promise<Answer> {
    const name = path.slice(1)
    const type = TYPES[extname(name)]
    if (type === undefined || !/^[a-z0-9][a-z0-9.-]*$/.test(name) || name.includes('..')) return plain(404, 'not found')
    try {
      return { status: 200, type, body: await readFile(new URL(name, this.#options.dashboard)) }
    } catch {
      return plain(404, 'not found')
    }
  }

  #write(request: http.IncomingMessage, response: http.ServerResponse, answer: Answer): void {
    response.writeHead(answer.status, {
      ...HEADERS,
      'Content-Type': answer.type,
      'Content-Length': Buffer.byteLength(answer.body),
      ...(answer.status === 405 ? { Allow: 'GET, HEAD' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }
}
