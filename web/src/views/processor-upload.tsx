import { useState } from 'preact/hooks'
import { call } from '../api.ts'
import type { Processor } from '../types.ts'
import { ErrorNote, Field } from '../ui.tsx'

export type Parameters = Readonly<Record<string, unknown>>

/** A value as a person types it: JSON where it is JSON, else text. */
const valueOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
const textOfValue = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)

/** Parameters by name, each in a field; names can be added where `free`. */
export const ParameterForm = ({
  values,
  free = false,
  onChange,
}: {
  values: Parameters
  free?: boolean
  onChange: (values: Parameters) => void
}) => {
  const [name, setName] = useState('')
  const add = () => {
    if (name && !(name in values)) onChange({ ...values, [name]: '' })
    setName('')
  }
  return (
    <fieldset class="parameters">
      <legend>Parameters</legend>
      {Object.entries(values).map(([key, value]) => (
        <Field key={key} label={key}>
          {(ids) =>
            typeof value === 'boolean' ? (
              <input
                {...ids}
                type="checkbox"
                checked={value}
                onChange={(event) => onChange({ ...values, [key]: event.currentTarget.checked })}
              />
            ) : (
              <input
                {...ids}
                value={textOfValue(value)}
                onChange={(event) =>
                  onChange({ ...values, [key]: valueOf(event.currentTarget.value) })
                }
              />
            )
          }
        </Field>
      ))}
      {free && (
        <div class="row">
          <input
            aria-label="Name of a new parameter"
            placeholder="name"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button type="button" onClick={add}>
            Add
          </button>
        </div>
      )}
      {!free && Object.keys(values).length === 0 && <p class="faint">It takes none.</p>}
    </fieldset>
  )
}

export const uploadProcessor = (
  script: Blob,
  file: string,
  name: string,
  processor_parameters: Parameters,
  description?: string,
): Promise<Processor> => {
  const form = new FormData()
  form.set('generic_processor_file', script, file)
  const metadata = { name, processor_parameters, ...(description ? { description } : {}) }
  form.set('generic_processor_metadata', JSON.stringify(metadata))
  return call<Processor>('POST', 'v2/generic-processor', form)
}

/** A Python script with its name and parameters. */
export const ProcessorUpload = ({ onDone }: { onDone: (made: Processor) => void }) => {
  const [file, setFile] = useState<File>()
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [values, setValues] = useState<Parameters>({})
  const [error, setError] = useState<Error>()
  const [busy, setBusy] = useState(false)
  const send = () => {
    if (!file) return setError(new Error('Choose a .py file first.'))
    setBusy(true)
    setError(undefined)
    uploadProcessor(file, file.name, name || file.name, values, description)
      .then(onDone, setError)
      .finally(() => setBusy(false))
  }
  return (
    <div class="panel upload">
      <Field
        label="Python script"
        hint="One .py file; it reads the model's output and writes it anew."
      >
        {(ids) => (
          <input
            {...ids}
            type="file"
            accept=".py"
            onChange={(event) => {
              const chosen = event.currentTarget.files?.[0]
              setFile(chosen)
              if (chosen && !name) setName(chosen.name.replace(/\.py$/, ''))
            }}
          />
        )}
      </Field>
      <Field label="Name">
        {(ids) => (
          <input
            {...ids}
            maxLength={100}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Description">
        {(ids) => (
          <input
            {...ids}
            value={description}
            onInput={(event) => setDescription(event.currentTarget.value)}
          />
        )}
      </Field>
      <ParameterForm values={values} free onChange={setValues} />
      <ErrorNote error={error} />
      <button type="button" class="primary" disabled={busy} onClick={send}>
        Upload
      </button>
    </div>
  )
}
