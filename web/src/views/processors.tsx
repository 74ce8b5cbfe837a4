import { useEffect, useState } from 'preact/hooks'
import { call, get, query, textOf } from '../api.ts'
import { count, timeText } from '../format.ts'
import { go, skipOf, useAddress, useLoad } from '../hooks.ts'
import type { About, Inference, Page, Processor } from '../types.ts'
import { Act, Await, ErrorNote, Heading, Pager, Status } from '../ui.tsx'
import { ProcessorUpload } from './processor-upload.tsx'
import { placeText } from './runs.tsx'

const SIZE = 50
const path = 'v2/generic-processor'

/** The script's text, read from its signed URL. */
const Source = ({ url }: { url: string }) => {
  const [text, setText] = useState('')
  const [error, setError] = useState<Error>()
  useEffect(() => {
    const abort = new AbortController()
    textOf(url, (more) => setText((old) => old + more), abort.signal).catch(
      (failed: Error) => abort.signal.aborted || setError(failed),
    )
    return () => abort.abort()
  }, [url])
  return (
    <>
      <ErrorNote error={error} />
      <pre class="source" tabIndex={0} aria-label="Source">
        {text.split('\n').map((line, n) => (
          <span key={n}>
            {line}
            {'\n'}
          </span>
        ))}
      </pre>
    </>
  )
}

const One = ({ id, about }: { id: string; about: About }) => {
  const own = encodeURIComponent(id)
  const processor = useLoad((signal) => get<Processor>(`${path}/${own}`, signal), [id])
  const all = useLoad((signal) => get<Page<Processor>>(`${path}?limit=1000`, signal), [])
  const used = useLoad(
    (signal) =>
      get<Page<Inference>>(
        `v2/inference?${query({ generic_processor_id: id, limit: 20 })}`,
        signal,
      ),
    [id],
  )
  const remove = async () => {
    await call('DELETE', `${path}/${own}`)
    go('processors')
  }
  return (
    <Await of={processor} one="Processor">
      {(found) => {
        const versions = all.value?.results.filter(({ name }) => name === found.name) ?? []
        return (
          <>
            <Heading text={found.name}>
              <a class="button primary" href={`#/new?processor=${found.id}`}>
                Use in a run
              </a>
              {found.created_by === about.user && (
                <Act label="Delete" sure="Runs that used it stay." onAct={remove} />
              )}
            </Heading>
            {found.description && <p>{found.description}</p>}
            <dl class="facts">
              <dt>Parameters</dt>
              <dd>
                {Object.entries(found.processor_parameters ?? {}).map(([name, value]) => (
                  <code key={name}>
                    {name}={JSON.stringify(value)}{' '}
                  </code>
                ))}
              </dd>
              <dt>Versions</dt>
              <dd>
                {versions.map((one) => (
                  <a
                    key={one.id}
                    class="item"
                    href={`#/processors/${one.id}`}
                    aria-current={one.id === found.id ? 'true' : undefined}
                  >
                    {timeText(one.created_at)}
                  </a>
                ))}
              </dd>
              <dt>Used in</dt>
              <dd>
                {used.value?.results.map((run) => (
                  <a key={run.id} class="item" href={`#/runs/${run.id}`}>
                    {placeText(run)}
                  </a>
                ))}
                {used.value && used.value.total_records > 20 && (
                  <span class="faint">{count(used.value.total_records, 'run')} in all</span>
                )}
                {used.value?.results.length === 0 && 'no run yet'}
              </dd>
            </dl>
            {found.processor_presigned_url && <Source url={found.processor_presigned_url} />}
          </>
        )
      }}
    </Await>
  )
}

const List = ({ search }: { search: string }) => {
  const [skip, setSkip] = useState(skipOf(search))
  const page = query({ limit: SIZE, skip })
  useAddress('processors', query({ skip: skip || undefined }))
  const processors = useLoad((signal) => get<Page<Processor>>(`${path}?${page}`, signal), [page])
  const [open, setOpen] = useState(false)
  return (
    <>
      <Heading text="Processors">
        <button class="primary" aria-expanded={open} onClick={() => setOpen(!open)}>
          Upload a script
        </button>
      </Heading>
      {open && (
        <ProcessorUpload
          onDone={(made) => {
            setOpen(false)
            go(`processors/${made.id}`)
          }}
        />
      )}
      <Await of={processors}>
        {({ results, total_records }) =>
          results.length ? (
            <>
              <table class="list">
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">Status</th>
                    <th scope="col" class="wide">
                      Parameters
                    </th>
                    <th scope="col" class="wide">
                      Owner
                    </th>
                    <th scope="col" class="wide">
                      Uploaded
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {results.map((one) => (
                    <tr key={one.id}>
                      <th scope="row">
                        <a href={`#/processors/${one.id}`}>{one.name}</a>
                        <span class="faint more"> {one.description}</span>
                      </th>
                      <td>
                        <Status status={one.status} />
                      </td>
                      <td class="wide">{Object.keys(one.processor_parameters ?? {}).join(', ')}</td>
                      <td class="wide">{one.created_by}</td>
                      <td class="wide number">{timeText(one.created_at)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
              <Pager skip={skip} size={SIZE} total={total_records} onSkip={setSkip} />
            </>
          ) : (
            <p class="empty">No processor yet: a Python script that works on a model's output.</p>
          )
        }
      </Await>
    </>
  )
}

export const Processors = ({
  id,
  search,
  about,
}: {
  id: string | undefined
  search: string
  about: About
}) => (id ? <One key={id} id={id} about={about} /> : <List search={search} />)
