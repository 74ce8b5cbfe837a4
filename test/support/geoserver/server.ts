import { createServer as plainServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as secureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { askOf, bodyOf } from './ask.ts'
import { type Answer, empty, text, type Version } from './http.ts'
import { route } from './router.ts'
import { State } from './state.ts'

/** What a test makes of one request; `n` counts from 1. */
export type Interruption =
  /** The connection ends, before the server did anything or after it did all */
  | 'cut-before'
  | 'cut-after'
  /** Done, and the connection ends in the middle of the answer */
  | 'cut-half'
  /** Neither done nor answered; or answered by a body that goes on for ever, a byte a millisecond */
  | 'hang'
  | 'endless'
  /** Answered so without doing anything */
  | {
      readonly status: number
      readonly text?: string
      readonly type?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Done, and answered so all the same: a proxy's timeout */
  | { readonly after: number }
  /** Done, and this in place of an answer */
  | { readonly unanswered: () => void }
  | undefined

export interface Options {
  readonly username?: string
  readonly password?: string
  readonly version?: Version
  /** PEM texts: then it is an https server */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** A user who may log in and do nothing */
  readonly forbidden?: boolean
  /** Where files lie that requests name by a path of the server's */
  readonly external?: (path: string) => string | undefined
  /** Of maps: what is not REST */
  readonly ows?: (state: State, url: URL) => Promise<Answer>
}

const endless = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'application/json' }).write('{')
  const dripping = setInterval(() => response.write(' '), 1)
  response.once('close', () => clearInterval(dripping))
}
const half = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': '1000' })
  response.write('{"', () => response.socket?.destroy())
}

/** Writers and readers wait for each other: one write at a time, from before its body is read. */
class Lock {
  private last: Promise<unknown> = Promise.resolve()
  hold<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work)
    this.last = mine.catch(() => undefined)
    return mine
  }
}

class Standin {
  state: State
  /** `METHOD path?query` of each, in order */
  readonly requests: string[] = []
  interrupt: (n: number, line: string) => Interruption = () => undefined
  private failures = 0
  private readonly options: Options
  private readonly lock = new Lock()
  /** Failing logins of the user that are being held back */
  private failing = 0

  constructor(options: Options) {
    this.options = options
    this.state = new State(options.version ?? '2.28.1')
    if (options.external) this.state.external = options.external
  }

  /** As after a restart without its data folder. */
  lose(): void {
    const { version, external } = this.state
    this.state = Object.assign(new State(version), { external })
  }

  failNext(count: number): void {
    this.failures = count
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url!.replace(/^\/geoserver\/(rest\/)?/, '')}`
    const url = new URL(request.url!, `http://${request.headers.host}`)
    if (/^\/geoserver\/([^/]+\/)?(ows|wms)$/.test(url.pathname) && this.options.ows)
      return this.reply(response, await this.options.ows(this.state, url))
    this.requests.push(line)
    const what = this.interrupt(this.requests.length, line)
    if (what === 'cut-before') return void request.socket.destroy()
    if (what === 'hang') return
    if (what === 'endless') return endless(response)
    if (typeof what === 'object' && 'status' in what)
      return this.reply(response, { ...text(what.status), ...what })
    if (this.failures-- > 0) return this.reply(response, text(503, 'starting'))
    const refused = await this.login(request.headers.authorization)
    if (refused) return this.reply(response, refused)
    const answer = await this.lock
      .hold(() => this.answer(request))
      .catch((error: Error) => (request.socket.destroyed ? undefined : text(500, error.message)))
    if (!answer || what === 'cut-after') return void request.socket.destroy()
    if (typeof what === 'object' && 'unanswered' in what) return what.unanswered()
    if (what === 'cut-half') return half(response)
    this.reply(response, typeof what === 'object' ? text(what.after) : answer)
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const body = await bodyOf(request)
    const read = askOf(request, this.state.version, body)
    if (!read) return text(404, 'Not Found')
    const answer = await route(this.state, read.base, read.ask)
    const quiet = answer.status === 404 && read.ask.query.get('quietOnNotFound') === 'true'
    return quiet ? empty(404) : answer
  }

  /** A failed login waits, and parallel ones of the same user fail at once, right or not. */
  private async login(authorization = ''): Promise<Answer | undefined> {
    const { username = 'admin', password = 'geoserver', forbidden } = this.options
    const given = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString()
    if (this.failing) return text(401, 'Unauthorized')
    if (given === `${username}:${password}`)
      return forbidden ? text(403, 'Access Denied') : undefined
    this.failing++
    await new Promise((done) => setTimeout(done, 20))
    this.failing--
    return text(401, 'Unauthorized')
  }

  private reply(response: ServerResponse, answer: Answer): void {
    const type = answer.type ? { 'content-type': answer.type } : {}
    response.writeHead(answer.status, { ...type, ...answer.headers }).end(answer.text ?? '')
  }
}

/**
 * A stand-in that keeps the rules of GeoServer's REST as its sources and manual tell them: state on
 * a disk of its own, status codes, and all that it does not say.
 */
export const startGeoserver = async (options: Options = {}) => {
  const stand = new Standin(options)
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void stand.handle(request, response)
  const server = options.tls ? secureServer(options.tls, handle) : plainServer(handle)
  await new Promise<void>((listening) => server.listen(0, '0.0.0.0', listening))
  const { port } = server.address() as AddressInfo
  return Object.assign(stand, {
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/geoserver`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
    /** Names of the granules of a layer `workspace:name`; undefined without an index */
    granules: (uri: string) =>
      stand.state.indexes.get(uri.replace(':', '/'))?.granules.map(({ location }) => location),
  })
}
export type Geoserver = Awaited<ReturnType<typeof startGeoserver>>
