import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { type Counted, RateLimiter } from './rate-limit.ts'

interface Asked {
  readonly limit: number
  readonly tell: (counted: Counted) => void
}
interface Row {
  readonly bucket: string
  readonly granted: number
  readonly left: number
  readonly reset: number
}

/**
 * Adds what each bucket was asked for, as far as its limit lets it, in one statement. A window of
 * `seconds` that is over weighs by the share of it that a sliding window still sees.
 */
const add = async (db: Db, seconds: number, rows: [string, number, number][]): Promise<Row[]> => {
  const one = sql`make_interval(secs => ${seconds})`
  const now = sql`clock_timestamp()`
  const whole = sql`r.began > ${now} - ${one}`
  const last = sql`r.began > ${now} - 2 * ${one}`
  const began = sql`case when ${whole} then r.began when ${last} then r.began + ${one} else ${now} end`
  const hits = sql`case when ${whole} then r.hits else 0 end`
  const before = sql`case when ${whole} then r.before when ${last} then r.hits else 0 end`
  const seen = (old: typeof before, since: typeof began) =>
    sql`ceil((${old}) * greatest(0, 1 - extract(epoch from ${now} - (${since})) / ${seconds}))::int`
  const granted = sql`greatest(0,
    least(excluded.granted, excluded.most - (${hits}) - ${seen(before, began)}))`
  const kept = seen(sql`r.before`, sql`r.began`)
  const found = await sql<Row>`
    insert into rate_limit as r (bucket, began, hits, before, granted, most)
    select bucket, ${now}, least(n, most), 0, least(n, most), most
    from unnest(${rows.map(([bucket]) => bucket)}::text[], ${rows.map(([, n]) => n)}::int[],
      ${rows.map(([, , most]) => most)}::int[]) as asked (bucket, n, most)
    order by bucket
    on conflict (bucket) do update set began = ${began}, before = ${before}, most = excluded.most,
      granted = ${granted}, hits = (${hits}) + ${granted}
    returning bucket, granted, greatest(0, most - hits - ${kept}) as left,
      greatest(1, ceil(extract(epoch from r.began + ${one} - ${now})))::int as reset`.execute(db)
  return found.rows
}

/**
 * Counts requests over all API processes, in Postgres.
 *
 * What comes while one statement is under way goes with the next, all buckets together: a request
 * waits for two short statements at most, and the database sees one at a time of each process.
 * While Postgres is away each process counts for itself.
 */
export class SharedLimiter {
  private waiting = new Map<string, Asked[]>()
  private working = false
  private readonly alone: RateLimiter
  private readonly db: Db
  private readonly seconds: number

  constructor(db: Db, windowSeconds: number) {
    this.db = db
    this.seconds = windowSeconds
    this.alone = new RateLimiter(windowSeconds)
  }

  /** Counts one request. */
  count(key: string, limit: number): Promise<Counted> {
    return new Promise((tell) => {
      this.waiting.set(key, [...(this.waiting.get(key) ?? []), { limit, tell }])
      if (!this.working) void this.work()
    })
  }

  private async work(): Promise<void> {
    this.working = true
    // What else this turn of the event loop has brought goes along.
    await new Promise((done) => setImmediate(done))
    while (this.waiting.size) {
      const taken = this.waiting
      this.waiting = new Map()
      const rows = [...taken].map(([key, asked]): [string, number, number] => [
        key,
        asked.length,
        asked[0]!.limit,
      ])
      const found = await add(this.db, this.seconds, rows).catch(() => [])
      const told = new Map(found.map((row) => [row.bucket, row]))
      for (const [key, asked] of taken) this.answer(key, asked, told.get(key))
    }
    this.working = false
  }

  private answer(key: string, asked: Asked[], row: Row | undefined): void {
    for (const [n, { limit, tell }] of asked.entries()) {
      if (!row) tell(this.alone.count(key, limit))
      else {
        const over = n >= row.granted
        // The first of several is told what was left after it, not after all.
        const remaining = over ? 0 : row.left + row.granted - n - 1
        tell({ limit, remaining, reset: row.reset, over })
      }
    }
  }
}

/** Removes buckets that no window sees any more. */
export const forgetCounts = async (db: Db, windowSeconds: number): Promise<void> => {
  await sql`delete from rate_limit
    where began < now() - 2 * make_interval(secs => ${windowSeconds})`.execute(db)
}
