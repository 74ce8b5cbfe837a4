import { EventEmitter } from 'node:events'
import pg from 'pg'
import { type Channel, endWhenSilent } from './database.ts'

const CHANNELS: Channel[] = ['geodag_task', 'geodag_event', 'geodag_cancel']

/** One connection that LISTENs, and comes back after Postgres was away (then emits `reconnected`). */
export class Listener extends EventEmitter {
  private client: pg.Client | undefined
  private closed = false
  private readonly url: string

  constructor(url: string) {
    super()
    this.url = url
    this.setMaxListeners(0)
  }

  async open(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
    })
    client.on('notification', ({ channel, payload }) => this.emit(channel, payload ?? ''))
    client.on('error', () => undefined)
    try {
      await client.connect()
      for (const channel of CHANNELS) await client.query(`listen ${channel}`)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    if (this.closed) return client.end()
    this.client = client
    endWhenSilent(client)
    // A word now and then, so that silence means that the server is gone.
    const beat = setInterval(() => void client.query('select 1').catch(() => undefined), 5000)
    // Only now: a client that never came to listen ends too, and each would start a loop of its own.
    client.on('end', () => {
      clearInterval(beat)
      void this.reopen()
    })
  }

  private async reopen(): Promise<void> {
    while (!this.closed) {
      await new Promise((done) => setTimeout(done, 200))
      try {
        await this.open()
        this.emit('reconnected')
        return
      } catch {
        // Postgres is still away: try again
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true
    await this.client?.end().catch(() => undefined)
  }
}
