import { log as mainLog } from '../watch/log.ts'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Selectable, sql } from 'kysely'
import type { Client } from '@dagger.io/dagger'
import { fetchedUrl } from '../../steps/model-exec.ts'
import { engineIsGone } from '../../pipelines/compose.ts'
import type { StepEnvironment } from '../../steps/step.ts'
import { exported, exportFollowed } from '../../steps/terratorch-inference/step.ts'
import { MODEL_FILES } from '../../steps/weights.ts'
import { type Database, persist } from '../database/database.ts'
import type { Listener } from '../database/listener.ts'
import { type Brought, EXPORT, exportLogKey, settleJob } from '../models/jobs.ts'
import { hashOf, modelFileKey } from '../models/weights.ts'
import { StoreError } from '../storage/errors.ts'
import { NotServed } from '../storage/store.ts'
import { LostLease } from './record.ts'
import { assetsOf } from './environment.ts'
import type { RunDeps } from './run-task.ts'
import { makeScratch } from './scratch.ts'
import { outcomeOf, Refused } from './job-outcome.ts'
import { inSession, SessionLost } from './session.ts'
import { LiveLog } from './live-log.ts'
import { forgetHeard, hear } from './step-logs.ts'
import { contextOf, inSpan, openSpan, spanFailed } from '../watch/tracing.ts'

type Job = Selectable<Database['model_job']>
type Deps = Omit<RunDeps, 'recorder' | 'metrics'>

const FILES = ['config', 'checkpoint'] as const
const LARGEST_CONFIG = 1024 * 1024
const POLL_MS = 2000
const LEFT = 'the export is left to another try'

const idsOf = ({ id, tune_id, model_id, attempt }: Job) => ({
  ...(tune_id ? { tune: tune_id } : { model_id: model_id! }),
  ...{ job: id, attempt },
})

/** What an exec says on stderr before it fails: `code: message`. */
const named = (error: unknown): Refused | undefined => {
  const { stderr = '' } = error as { stderr?: string }
  const found = /^(model\.[a-z_]+): (.+)$/m.exec(stderr)
  return found ? new Refused(found[1]!, found[2]!) : undefined
}

/** Exports the TerraTorch models of uploaded tunes and deployed models, one at a time. */
export class ModelJobs {
  private readonly deps: Deps
  private readonly listener: Listener
  private readonly stop = new AbortController()
  private wake: () => void = () => undefined
  private loop: Promise<void> | undefined

  constructor(deps: Deps, listener: Listener) {
    this.deps = deps
    this.listener = listener
  }

  private readonly poke = (): void => this.wake()

  start(): void {
    this.listener.on('geodag_task', this.poke)
    this.loop = this.run()
  }

  /** A job under way is given back: another runner begins it anew. */
  async drain(): Promise<void> {
    this.stop.abort(new Error('drain'))
    this.wake()
    await this.loop
    this.listener.off('geodag_task', this.poke)
  }

  private async run(): Promise<void> {
    while (!this.stop.signal.aborted) {
      const job = await this.claim().catch(() => undefined)
      if (job) await this.trace(job).catch((err) => mainLog.error({ ...idsOf(job), err }, LEFT))
      else await this.sleep()
    }
  }

  /** A try as a span that goes on from the request which asked for it. */
  private trace(job: Job): Promise<void> {
    const attributes = {
      ...{ 'geodag.job': job.id, 'geodag.attempt': job.attempt },
      ...(job.tune_id ? { 'geodag.tune': job.tune_id } : { 'geodag.model_id': job.model_id! }),
    }
    const parent = contextOf(job.traceparent)
    return inSpan('task', { name: EXPORT, attributes, parent }, () => this.work(job))
  }

  private sleep(): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, POLL_MS)
      this.wake = () => {
        clearTimeout(timer)
        done()
      }
    })
  }

  private get lease() {
    return sql<Date>`now() + make_interval(secs => ${this.deps.config.LEASE_SECONDS})`
  }

  private claim(): Promise<Job | undefined> {
    return this.deps.db
      .updateTable('model_job')
      .set({
        status: 'RUNNING',
        lease_until: this.lease,
        fence: sql`fence + 1`,
        attempt: sql`attempt + 1`,
        // A lease that ended is a holder that did: it may have been the job that took it along.
        deaths: sql`deaths + case when lease_until is null then 0 else 1 end`,
      })
      .where('id', '=', (q) =>
        q
          .selectFrom('model_job')
          .select('id')
          .where('status', 'in', ['READY', 'RUNNING'])
          .where((e) =>
            e.or([e('lease_until', 'is', null), e('lease_until', '<', sql<Date>`now()`)]),
          )
          .where((e) =>
            e.or([e('not_before', 'is', null), e('not_before', '<=', sql<Date>`now()`)]),
          )
          .orderBy('created_at')
          .limit(1)
          .forUpdate()
          .skipLocked(),
      )
      .returningAll()
      .executeTakeFirst()
  }

  private held(job: Job) {
    return this.deps.db
      .updateTable('model_job')
      .where('id', '=', job.id)
      .where('fence', '=', job.fence)
  }

  private async work(job: Job): Promise<void> {
    const { db, config, store } = this.deps
    const lost = new AbortController()
    const beat = async () => {
      const { numUpdatedRows } = await this.held(job)
        .set({ lease_until: this.lease })
        .executeTakeFirst()
      if (numUpdatedRows === 0n) lost.abort(new LostLease(job.id))
    }
    const beating = setInterval(
      () => void beat().catch(() => undefined),
      (config.LEASE_SECONDS * 1000) / 3,
    )
    const signal = AbortSignal.any([this.stop.signal, lost.signal])
    let log = ''
    let end: Parameters<typeof settleJob>[2]
    const began = performance.now()
    try {
      if (job.deaths > config.MAX_DEATHS) throw new SessionLost('its runner ended without a word')
      mainLog.info(idsOf(job), 'the export begins')
      await this.begun(job)
      end = await this.export(job, signal, (text) => (log += text))
    } catch (error) {
      if (lost.signal.aborted) return
      if (this.stop.signal.aborted) return await this.later(job, 0)
      const outcome = outcomeOf(job, error, config)
      if ('seconds' in outcome) {
        mainLog.error(idsOf(job), String((error as Error).message).slice(0, 300))
        return await this.later(job, outcome.seconds, outcome)
      }
      end = outcome
      log += `${outcome.error.code}: ${outcome.error.message}\n`
    } finally {
      clearInterval(beating)
    }
    const failed = 'error' in end ? end.error.code : undefined
    if (failed) spanFailed(openSpan(), failed)
    const seconds = Math.round((performance.now() - began) / 100) / 10
    const said = { ...idsOf(job), seconds, ...(failed ? { code: failed } : {}) }
    mainLog.info(said, `the export has ${failed ? 'failed' : 'finished'}`)
    const kept = await store
      .put(exportLogKey(job.tune_id ?? job.model_id!), log)
      .then(() => true)
      .catch(() => false)
    await persist(() =>
      db.transaction().execute(async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('model_job')
          .set({ status: 'error' in end ? 'FAILED' : 'FINISHED', lease_until: null })
          .where('id', '=', job.id)
          .where('fence', '=', job.fence)
          .executeTakeFirst()
        if (numUpdatedRows > 0n) await settleJob(trx, job, end)
      }),
    )
    await forgetHeard(db, job.id).catch(() => undefined)
    // Where the store is away the database keeps it.
    if (!kept) await hear(db, job.id, EXPORT, log)
  }

  private async begun({ tune_id, model_id }: Job): Promise<void> {
    const { db } = this.deps
    if (tune_id)
      await db
        .updateTable('tune')
        .set({ status: 'In_progress' })
        .where('id', '=', tune_id)
        .execute()
    else
      await db
        .updateTable('inf_model')
        .set({ status: 'DEPLOY_IN_PROGRESS' })
        .where('id', '=', model_id!)
        .execute()
  }

  private async later(
    job: Job,
    seconds: number,
    { failures, deaths }: { failures: number; deaths: number } = job,
  ): Promise<void> {
    await this.held(job)
      .set({
        ...{ status: 'READY', lease_until: null, failures, deaths },
        not_before: sql<Date>`now() + make_interval(secs => ${seconds})`,
      })
      .execute()
  }

  /** One file into `path`: out of our own store, or from where the user says. @throws Refused */
  private async bring(dag: Client, job: Job, key: (typeof FILES)[number], path: string) {
    const { store, config } = this.deps
    const url = job[`${key}_url`]
    if (store.owns(url))
      await store.download(url, path).catch((error) => {
        if (!(error instanceof NotServed)) throw error
        throw new Refused(
          'model.unreachable',
          `tune_${key}_url answers ${error.status}: upload the file, or ask for a new URL (they end after 8 hours)`,
        )
      })
    else {
      const env = { dag, assets: assetsOf(dag), runKey: job.id, secrets: {} }
      const wanted = { url, field: key, allow_private_hosts: config.ALLOW_PRIVATE_HOSTS }
      const file = fetchedUrl(env, wanted, `${job.id}/${job.attempt}`)
      await file.export(path).catch((error: unknown) => {
        throw named(error) ?? error
      })
    }
    const { size } = await stat(path)
    if (key === 'config' && size > LARGEST_CONFIG)
      throw new Refused('model.bad_config', `the config has ${size} bytes: give TerraTorch's YAML`)
    const sha256 = await hashOf(path)
    await store.putFile(modelFileKey(key, sha256), path)
    return { url: url.split('?')[0]!, sha256, size }
  }

  private async export(
    job: Job,
    signal: AbortSignal,
    say: (text: string) => void,
  ): Promise<Brought> {
    const { db, config } = this.deps
    const scratch = await makeScratch()
    const live = new LiveLog(db, job.id)
    const both = (text: string) => {
      say(text)
      live.say(text)
    }
    let made: Brought | undefined
    let failure: unknown
    try {
      await live.begin(EXPORT)
      await inSession(live, signal, config.ENGINE_TIMEOUT_SECONDS, async (dag) => {
        made = await this.exportIn(dag, job, join(scratch, 'models'), { both, say }).catch(
          async (error) => {
            const known = error instanceof Refused || error instanceof StoreError
            const gone =
              !known && !signal.aborted && (await engineIsGone(dag, String(error.message)))
            failure = gone ? new SessionLost(error.message) : error
            return undefined
          },
        )
      })
    } finally {
      await live.close()
      await rm(scratch, { recursive: true, force: true })
    }
    if (made) return made
    throw failure ?? new SessionLost('the session ended')
  }

  private async exportIn(
    dag: Client,
    job: Job,
    models: string,
    { both, say }: Record<'both' | 'say', (text: string) => void>,
  ): Promise<Brought> {
    await mkdir(models, { recursive: true })
    const inference: Record<string, unknown> = {}
    let bytes = 0
    for (const key of FILES) {
      const path = join(models, MODEL_FILES[key])
      const { url, sha256, size } = await inSpan(
        'step',
        { name: `fetch ${key}`, attributes: {} },
        () => this.bring(dag, job, key, path),
      )
      inference[key] = { url, sha256 }
      bytes += size
      both(`${key}: ${size} bytes, sha256 ${sha256}\n`)
    }
    const assets = assetsOf(dag).withDirectory('models', dag.host().directory(models))
    const env: StepEnvironment = { dag, assets, runKey: job.id, secrets: {} }
    const model = {
      config: { file: MODEL_FILES.config },
      checkpoint: { file: MODEL_FILES.checkpoint },
      allow_private_hosts: false,
    }
    both('TerraTorch builds the network and exports it.\n')
    const followed = exportFollowed(env, model)
    followed.then((container) => container.sync()).catch(() => undefined) // a log lost is no failure
    const attributes = { 'geodag.step': EXPORT }
    const answer = await inSpan('step', { name: 'export in the engine', attributes }, async () => {
      const out = await exported(env, model)
      const answer = JSON.parse(await out.file('answer.json').contents())
      say(await out.file('log.txt').contents())
      return answer
    })
    // What is not exported is run by TerraTorch itself, slower: the log says why.
    if (answer.code && answer.code !== 'model.not_exportable')
      throw new Refused(answer.code, answer.message)
    return { inference, bytes }
  }
}
