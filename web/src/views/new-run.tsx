import { useRef, useState } from 'preact/hooks'
import { call, get, newWord } from '../api.ts'
import { go, useLoad, useSettled } from '../hooks.ts'
import type { About, Inference, Model, Page, Plan, Processor } from '../types.ts'
import { Act, Await, Field, Heading } from '../ui.tsx'
import {
  DateFields,
  daysOf,
  type Period,
  periodOf,
  periodText,
  SceneDates,
  type SceneDays,
} from './dates.tsx'
import { ModelFacts } from './models.tsx'
import { domainOf, NOWHERE, type Place, PlaceField, urlsOf } from './place.tsx'
import { PlanNote } from './plan.tsx'
import { ProcessorField, savedProcessor, type Used } from './processor-field.tsx'

interface Form {
  readonly model: string
  /** Of a run of a fine-tuned model that is asked for again */
  readonly tune: string
  readonly place: Place
  readonly periods: readonly Period[]
  readonly days: SceneDays
  readonly maxcc: string
  readonly used: Used
  readonly location: string
  readonly description: string
}

/** A run as the form that would ask for it again. */
const formOf = (run: Inference): Partial<Form> => {
  const { urls, bbox, polygons, tiles } = run.spatial_domain
  const named = urls.map((url) => (typeof url === 'string' ? url : JSON.stringify(url)))
  const place: Place = {
    ...NOWHERE,
    kind: urls.length ? 'urls' : tiles.length ? 'tiles' : 'draw',
    urls: named,
    bbox,
    drawn: (polygons as { type: string; geometry?: object }[]).map((one) => one.geometry ?? one),
    tiles: tiles.map(String).join(' '),
  }
  return {
    ...{
      model: run.model_id,
      tune: run.fine_tuning_id ?? '',
      place,
      maxcc: run.maxcc === null ? '' : String(run.maxcc),
    },
    periods: run.temporal_domain.map(periodOf),
    days: Object.fromEntries(
      named.map((url, n) => [url, periodOf(run.temporal_domain[n] ?? '').from]),
    ),
    used: { id: run.generic_processor_id ?? '' },
    location: run.location ?? '',
    description: run.description ?? '',
  }
}

const timesOf = ({ place, days, periods }: Form): string[] =>
  (place.kind === 'urls' ? daysOf(urlsOf(place), days) : periods.map(periodText)).filter(Boolean)

const bodyOf = (form: Form, generic_processor_id: string) => ({
  model_id: form.model,
  ...(form.tune ? { fine_tuning_id: form.tune } : {}),
  spatial_domain: domainOf(form.place),
  temporal_domain: timesOf(form),
  ...(form.place.kind === 'urls' || form.maxcc === '' ? {} : { maxcc: Number(form.maxcc) }),
  ...(generic_processor_id ? { generic_processor_id } : {}),
  ...(form.location ? { location: form.location } : {}),
  ...(form.description ? { description: form.description } : {}),
})

const wantingOf = (form: Form): string | undefined => {
  if (!form.model) return 'Choose a model.'
  if (!domainOf(form.place)) return 'Name a place: drop a scene, draw, or paste GeoJSON.'
  const times = timesOf(form).length
  if (form.place.kind !== 'urls') return times ? undefined : 'Choose the dates.'
  // The API takes days in the order of the scenes, without gaps.
  if (times && times < urlsOf(form.place).length) return 'Give each scene its date, or none.'
  return undefined
}

/** Asks the planner again when the form has settled. */
const usePlan = (form: Form, wanting: string | undefined) => {
  const { description: _, ...asked } = bodyOf(form, form.used.id)
  const latest = wanting ? '' : JSON.stringify(asked)
  const text = useSettled(latest, 400)
  const plan = useLoad(
    async (signal) =>
      text
        ? (await call<{ plan: Plan }>('POST', 'v2/inference/dry-run', JSON.parse(text), signal))
            .plan
        : undefined,
    [text],
  )
  // What stands there is of an older form until the answer to this one has come.
  return { ...plan, busy: plan.busy || text !== latest }
}

const Filled = ({
  first,
  models,
  processors,
  about,
}: {
  first: Partial<Form>
  models: readonly Model[]
  processors: readonly Processor[]
  about: About
}) => {
  const [form, setForm] = useState<Form>({
    ...{
      model: '',
      tune: '',
      place: NOWHERE,
      periods: [{ from: '', to: '' }],
      days: {},
      maxcc: '80',
    },
    ...{ used: { id: '' }, location: '', description: '' },
    ...first,
  })
  const tried = useRef({ text: '', word: '' })
  const set = (next: Partial<Form>) => setForm((old) => ({ ...old, ...next }))
  const wanting = wantingOf(form)
  const plan = usePlan(form, wanting)
  const model = models.find(({ id }) => id === form.model)
  const start = async () => {
    const processor = await savedProcessor(form.used, processors)
    const body = bodyOf(form, processor)
    const text = JSON.stringify(body)
    // An answer that was lost on its way: the same form once more is the same run.
    if (tried.current.text !== text) tried.current = { text, word: newWord() }
    const { word } = tried.current
    const run = await call<Inference>('POST', 'v2/inference', body, undefined, word)
    go(`runs/${run.id}`)
  }
  return (
    <div class="new-run">
      <form onSubmit={(event) => event.preventDefault()}>
        <Field label="Model">
          {(ids) => (
            <select
              {...ids}
              value={form.model}
              onChange={(event) => set({ model: event.currentTarget.value, tune: '' })}
            >
              <option value="">Choose a model</option>
              {models.map(({ id, display_name, version }) => (
                <option key={id} value={id}>
                  {display_name} v{version}
                </option>
              ))}
            </select>
          )}
        </Field>
        {form.tune && (
          <p class="hint">
            Fine-tuned by <code>{form.tune}</code>
          </p>
        )}
        {model && <ModelFacts model={model} />}
        <PlaceField
          place={form.place}
          about={about}
          onPlace={(change) => setForm((old) => ({ ...old, place: change(old.place) }))}
        />
        {form.place.kind === 'urls' ? (
          <SceneDates urls={urlsOf(form.place)} days={form.days} onDays={(days) => set({ days })} />
        ) : (
          <DateFields periods={form.periods} onPeriods={(periods) => set({ periods })} />
        )}
        {form.place.kind !== 'urls' && (
          <Field
            label="Cloud limit, %"
            hint="Mean cloud of a day's scenes over the place; 0 is no limit."
          >
            {(ids) => (
              <input
                {...ids}
                type="number"
                min={0}
                max={100}
                value={form.maxcc}
                onInput={(event) => set({ maxcc: event.currentTarget.value })}
              />
            )}
          </Field>
        )}
        <ProcessorField used={form.used} processors={processors} onUsed={(used) => set({ used })} />
        <div class="row two">
          <Field label="Name of the place">
            {(ids) => (
              <input
                {...ids}
                maxLength={100}
                value={form.location}
                onInput={(event) => set({ location: event.currentTarget.value })}
              />
            )}
          </Field>
          <Field label="Description">
            {(ids) => (
              <input
                {...ids}
                value={form.description}
                onInput={(event) => set({ description: event.currentTarget.value })}
              />
            )}
          </Field>
        </div>
      </form>
      <aside class="beside" aria-label="Plan and start">
        <PlanNote plan={plan.value} error={plan.error} busy={plan.busy} wanting={wanting} />
        <Act label="Start" kind="primary big" disabled={wanting !== undefined} onAct={start} />
      </aside>
    </div>
  )
}

const firstOf = async (search: string, signal: AbortSignal): Promise<Partial<Form>> => {
  const given = new URLSearchParams(search)
  const from = given.get('from')
  if (from) return formOf(await get<Inference>(`v2/inference/${encodeURIComponent(from)}`, signal))
  const [model, processor] = [given.get('model'), given.get('processor')]
  return { ...(model ? { model } : {}), ...(processor ? { used: { id: processor } } : {}) }
}

/** The form of a new run, with the planner's answer beside it. */
export const NewRun = ({ search, about }: { search: string; about: About }) => {
  const given = useLoad(
    (signal) =>
      Promise.all([
        firstOf(search, signal),
        get<Page<Model>>('v2/models?limit=1000', signal),
        get<Page<Processor>>('v2/generic-processor?limit=1000', signal),
      ]),
    [search],
  )
  return (
    <>
      <Heading text="New run" />
      <Await of={given}>
        {([first, models, processors]) => (
          <Filled
            first={first}
            models={models.results}
            processors={processors.results}
            about={about}
          />
        )}
      </Await>
    </>
  )
}
