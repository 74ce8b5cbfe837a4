import { persist } from '../../api/database/database.ts'
import { sleep } from '../support/api.ts'
import { lakeScene } from '../support/geotiff.ts'
import type { ChaosService } from './service.ts'

/** What is asked for, and what may become of it when nobody cancels or deletes it. */
const KINDS = {
  fetch: { weight: 4, ends: 'COMPLETED' },
  water: { weight: 2, ends: 'COMPLETED' },
  script: { weight: 3, ends: 'COMPLETED' },
  /** A script that fails: the user broke it. */
  broken: { weight: 1, ends: 'FAILED', code: /^processor\./ },
  /** A scene that is not there. */
  nowhere: { weight: 1, ends: 'FAILED', code: /^source\./ },
} as const
export type Kind = keyof typeof KINDS
export const expectedOf = (kind: Kind): { ends: string; code?: RegExp } => KINDS[kind]

export interface Asked {
  readonly id: string
  readonly kind: Kind
  readonly scenes: number
  cancelled: boolean
  deleted: boolean
}

const SLOW = `import time
# MARK
if __name__ == "__main__":
    for n in range(8):
        print("tick", n, flush=True)
        time.sleep(0.5)
`
const BROKEN = 'import sys\nif __name__ == "__main__":\n    print("MARK")\n    sys.exit(3)\n'
const FETCH_ONLY = [{ process_id: 'url-connector', step_number: 0 }]

/** A user who keeps some inferences going, and never gives up asking. */
export class Workload {
  readonly asked = new Map<string, Asked>()
  readonly violations: string[] = []
  requests = 0
  refused = 0
  private readonly service: ChaosService
  private readonly random: () => number
  private scene = 0
  private stopped = false

  constructor(service: ChaosService, random: () => number) {
    this.service = service
    this.random = random
  }

  /** Until the server answers: a 503 and a broken connection are asked again, any other 5xx told. */
  async call(method: string, path: string, body?: unknown, key?: string) {
    const headers = key ? { 'Idempotency-Key': key } : {}
    for (;;) {
      this.requests++
      try {
        const answer = await this.service.client.call(method, path, body, headers)
        const passing = answer.status === 503 || (answer.status === 409 && key !== undefined)
        if (!passing && answer.status >= 500)
          this.violations.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
        if (!passing && answer.status < 500) return answer
      } catch {
        // the API is away
      }
      this.refused++
      await sleep(300)
    }
  }

  private async share(): Promise<string> {
    const name = `lake${String.fromCharCode(97 + (this.scene % 26))}${this.scene++}.tif`
    const bytes = lakeScene(this.scene)
    for (;;) {
      const { body } = await this.call('GET', `/v2/file-share?object_name=${name}`)
      const put = await fetch(body.upload_url, {
        method: 'PUT',
        body: new Uint8Array(bytes),
      }).catch(() => undefined)
      if (put?.status === 200) return body.download_url
      if (put && put.status >= 500 && put.status !== 503)
        this.violations.push(`PUT of a scene: ${put.status} ${await put.text()}`)
      await sleep(300)
    }
  }

  private async processor(script: string): Promise<string> {
    for (;;) {
      const text = script.replace('MARK', crypto.randomUUID())
      const answer = await this.service.client.processor(text).catch(() => undefined)
      if (answer?.status === 201 && answer.body.status === 'FINISHED') return answer.body.id
      await sleep(300)
    }
  }

  private async ask(kind: Kind): Promise<void> {
    const count = kind === 'fetch' ? 1 + Math.floor(this.random() * 5) : 1
    const urls = await Promise.all(Array.from({ length: count }, () => this.share()))
    if (kind === 'nowhere') urls[0] = urls[0]!.replace(/signature=./, 'signature=x')
    const script = { script: SLOW, broken: BROKEN }[kind as 'script' | 'broken']
    const body = {
      model_display_name: 'tiny-water',
      spatial_domain: { urls },
      temporal_domain: ['2024-06-01'],
      location: kind,
      ...(kind === 'fetch' || kind === 'nowhere' ? { pipeline_steps: FETCH_ONLY } : {}),
      ...(script ? { generic_processor_id: await this.processor(script) } : {}),
    }
    const answer = await this.call('POST', '/v2/inference', body, crypto.randomUUID())
    if (answer.status !== 201)
      return void this.violations.push(`POST: ${answer.status} ${JSON.stringify(answer.body)}`)
    const { id } = answer.body
    if (this.asked.has(id)) this.violations.push(`${id} was given twice`)
    this.asked.set(id, { id, kind, scenes: count, cancelled: false, deleted: false })
  }

  private pickKind(): Kind {
    const all = Object.entries(KINDS).flatMap(([kind, { weight }]) => Array(weight).fill(kind))
    return all[Math.floor(this.random() * all.length)] as Kind
  }

  private async open(): Promise<number> {
    const { count } = await persist(() =>
      this.service.db
        .selectFrom('inf_inference')
        .select((e) => e.fn.countAll<string>().as('count'))
        .where('status', 'in', ['PENDING', 'RUNNING'])
        .where('deleted', '=', false)
        .executeTakeFirstOrThrow(),
    )
    return Number(count)
  }

  /** Keeps `most` inferences unfinished. */
  async run(most: number): Promise<void> {
    while (!this.stopped) {
      if ((await this.open().catch(() => most)) < most) await this.ask(this.pickKind())
      else await sleep(300)
    }
  }

  stop(): void {
    this.stopped = true
  }

  /** One of those that may still be running. */
  private some(): Asked | undefined {
    const live = [...this.asked.values()].slice(-8).filter((one) => !one.cancelled && !one.deleted)
    return live[Math.floor(this.random() * live.length)]
  }

  async cancel(): Promise<boolean> {
    const one = this.some()
    if (!one) return false
    one.cancelled = true
    await this.call('POST', `/v2/inference/${one.id}/cancel`)
    return true
  }

  async remove(): Promise<boolean> {
    const one = this.some()
    if (!one) return false
    one.deleted = true
    await this.call('DELETE', `/v2/inference/${one.id}`)
    return true
  }
}
