import { get, query } from '../api.ts'
import { timeText } from '../format.ts'
import { skipOf, useAddress, useLoad } from '../hooks.ts'
import type { Model, Page, StyleEntry } from '../types.ts'
import { useState } from 'preact/hooks'
import { Await, Heading, Pager, Status } from '../ui.tsx'

const SIZE = 25

/** The classes, or the ramp, of the layers that a model publishes. */
export const classesOf = (model: Model): readonly StyleEntry[] =>
  (model.geoserver_push ?? []).flatMap(({ geoserver_style: style }) =>
    style && typeof style === 'object' ? (style.segmentation ?? style.regression ?? []) : [],
  )

/** A colour as a user may have written it: the DOM takes no more than a colour of it. */
export const Swatch = ({ color }: { color: string | undefined }) => (
  <span class="swatch" style={{ backgroundColor: color ?? 'transparent' }} />
)

/** What a model is and takes. */
export const ModelFacts = ({ model }: { model: Model }) => {
  const specs = model.model_input_data_spec ?? []
  return (
    <dl class="facts">
      {model.description && (
        <>
          <dt>Description</dt>
          <dd>{model.description}</dd>
        </>
      )}
      {specs.map((spec, n) => (
        <>
          <dt key={`t${n}`}>Input{specs.length > 1 ? ` ${n + 1}` : ''}</dt>
          <dd key={`d${n}`}>
            {[spec.connector, spec.collection].filter(Boolean).join(' · ') || 'files by URL'}
            {': '}
            {(spec.bands ?? []).map((band) => band.band_name ?? `#${band.index}`).join(' ')}
          </dd>
        </>
      ))}
      <dt>Classes</dt>
      <dd class="classes">
        {classesOf(model).map((entry, n) => (
          <span key={n}>
            <Swatch color={entry.color} /> {entry.label ?? String(entry.quantity)}
          </span>
        ))}
        {classesOf(model).length === 0 && '–'}
      </dd>
      <dt>Steps</dt>
      <dd>{(model.pipeline_steps ?? []).map((step) => step.process_id).join(' → ')}</dd>
    </dl>
  )
}

const One = ({ id }: { id: string }) => {
  const model = useLoad((signal) => get<Model>(`v2/models/${encodeURIComponent(id)}`, signal), [id])
  return (
    <Await of={model} one="Model">
      {(found) => (
        <>
          <Heading text={`${found.display_name} v${found.version}`}>
            <a class="button" href={`#/runs?model_id=${found.id}`}>
              Its runs
            </a>
            <a class="button primary" href={`#/new?model=${found.id}`}>
              New run
            </a>
          </Heading>
          <ModelFacts model={found} />
          <dl class="facts">
            <dt>Name</dt>
            <dd>
              <code>{found.internal_name}</code>
            </dd>
            <dt>Owner</dt>
            <dd>
              {found.created_by}, {timeText(found.created_at)}
            </dd>
          </dl>
        </>
      )}
    </Await>
  )
}

const List = ({ search }: { search: string }) => {
  const [skip, setSkip] = useState(skipOf(search))
  const page = query({ limit: SIZE, skip })
  useAddress('models', query({ skip: skip || undefined }))
  const models = useLoad((signal) => get<Page<Model>>(`v2/models?${page}`, signal), [page])
  return (
    <>
      <Heading text="Models" />
      <p class="faint">
        One of your own is registered by <code>POST /v2/models</code>, with its metadata as JSON:{' '}
        <a href="./docs">API reference</a>.
      </p>
      <Await of={models}>
        {({ results, total_records }) => (
          <>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">Model</th>
                  <th scope="col">Status</th>
                  <th scope="col">Classes</th>
                  <th scope="col" class="wide">
                    Bands
                  </th>
                  <th scope="col" class="wide">
                    Owner
                  </th>
                </tr>
              </thead>
              <tbody>
                {results.map((model) => (
                  <tr key={model.id}>
                    <th scope="row">
                      <a href={`#/models/${model.id}`}>
                        {model.display_name} v{model.version}
                      </a>
                      <span class="faint more"> {model.description}</span>
                    </th>
                    <td>
                      <Status status={model.status} />
                    </td>
                    <td class="classes">
                      {classesOf(model)
                        .slice(0, 6)
                        .map((entry, n) => (
                          <span key={n}>
                            <Swatch color={entry.color} /> {entry.label}
                          </span>
                        ))}
                    </td>
                    <td class="wide number">
                      {model.model_input_data_spec?.[0]?.bands?.length ?? '–'}
                    </td>
                    <td class="wide">{model.created_by}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            <Pager skip={skip} size={SIZE} total={total_records} onSkip={setSkip} />
          </>
        )}
      </Await>
    </>
  )
}

export const Models = ({ id, search }: { id: string | undefined; search: string }) =>
  id ? <One id={id} /> : <List search={search} />
