import { useState } from 'preact/hooks'
import { fetched, get } from '../api.ts'
import type { Processor } from '../types.ts'
import { Field } from '../ui.tsx'
import {
  ParameterForm,
  type Parameters,
  ProcessorUpload,
  uploadProcessor,
} from './processor-upload.tsx'

/** The processor of a run; parameters where they differ from its own. */
export interface Used {
  readonly id: string
  readonly parameters?: Parameters
}

/** Its id; changed parameters make a new version from the same script. */
export const savedProcessor = async (
  { id, parameters }: Used,
  processors: readonly Processor[],
): Promise<string> => {
  const known = processors.find((one) => one.id === id)
  const same = JSON.stringify(parameters) === JSON.stringify(known?.processor_parameters ?? {})
  if (!id || !parameters || same) return id
  const whole = await get<Processor>(`v2/generic-processor/${encodeURIComponent(id)}`)
  const script = await (await fetched(whole.processor_presigned_url!)).blob()
  const file = whole.processor_file_path!.split('/').at(-1)!
  const made = await uploadProcessor(
    script,
    file,
    whole.name,
    parameters,
    whole.description ?? undefined,
  )
  return made.id
}

/** None, one that is there, or a new one. */
export const ProcessorField = ({
  used,
  processors,
  onUsed,
}: {
  used: Used
  processors: readonly Processor[]
  onUsed: (used: Used) => void
}) => {
  const [made, setMade] = useState<readonly Processor[]>([])
  const [open, setOpen] = useState(false)
  const all = [...made, ...processors]
  const chosen = all.find((one) => one.id === used.id)
  return (
    <>
      <Field
        label="Processor"
        hint="A Python script that works on the model's output, without network."
      >
        {(ids) => (
          <select
            {...ids}
            value={used.id}
            onChange={(event) => onUsed({ id: event.currentTarget.value })}
          >
            <option value="">None</option>
            {all.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      {chosen && (
        <ParameterForm
          values={used.parameters ?? chosen.processor_parameters ?? {}}
          onChange={(parameters) => onUsed({ id: chosen.id, parameters })}
        />
      )}
      <button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>
        Upload a script
      </button>
      {open && (
        <ProcessorUpload
          onDone={(one) => {
            setMade((old) => [one, ...old])
            setOpen(false)
            onUsed({ id: one.id })
          }}
        />
      )}
    </>
  )
}
