import { PlanError } from './errors.ts'
import type { InputSpec, Scene } from './plan-context.ts'

const safe = (name: string): string => name.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 40)
const alike = (a: string, b: string): boolean => {
  const plain = (text: string) => text.replace(/[^a-z0-9]/gi, '').toLowerCase()
  return plain(a) === plain(b)
}

/** Names that a spec may be called by in a request: its tag, its collection, either with its connector. */
const namesOf = ({ modality_tag, collection, connector }: InputSpec): string[] => {
  const names = [modality_tag, collection].filter((name) => typeof name === 'string')
  return connector === undefined
    ? names
    : [...names, ...names.map((name) => `${connector}/${name}`)]
}

/** Whether a request or a model may call a spec so. */
export const isNamed = (spec: InputSpec, name: string): boolean =>
  namesOf(spec).some((own) => alike(own, name))

/** Name of a modality in artifact keys and file names: letters, digits, _ and -, at most 40. */
export const modalityName = (spec: InputSpec, position: number): string =>
  safe(namesOf(spec)[0] ?? `modality_${position + 1}`)

const wrong = (message: string): never => {
  throw new PlanError('request.modalities', `spatial_domain.urls: ${message}`)
}

/** The scene that a request gives under one of the spec's names. */
const sceneFor = (scenes: readonly Scene[], spec: InputSpec): Scene | undefined =>
  scenes.find(({ modality }) => isNamed(spec, modality ?? ''))

/**
 * The scene of each modality that the model takes, in the spec's order.
 *
 * Where names tell nothing (a spec without tag and collection), the order of the request does, of
 * those scenes that no other spec is called by.
 *
 * @throws PlanError `request.modalities` where one is missing, unknown or given twice
 */
export const scenesByModality = (
  specs: readonly InputSpec[],
  scenes: readonly Scene[],
): { name: string; spec: InputSpec; scene: Scene }[] => {
  if (specs.length === 0)
    throw new PlanError('model.invalid', 'model_input_data_spec is empty: name the bands to read')
  const names = specs.map(modalityName)
  const expected =
    names.length > 1 ? `{${names.map((name) => `${name}: URL`).join(', ')}}` : 'a URL'
  if (scenes.length !== specs.length)
    wrong(
      `an item gives ${scenes.length} of the model's ${specs.length} modalities: give ${expected} for each item`,
    )
  if (new Set(names).size < names.length)
    throw new PlanError(
      'model.invalid',
      `model_input_data_spec: two modalities are called ${names.join(', ')}: give each a modality_tag of its own`,
    )
  const isNameless = (spec: InputSpec) => specs.length === 1 || namesOf(spec).length === 0
  const byName = specs.map((spec) => (isNameless(spec) ? undefined : sceneFor(scenes, spec)))
  const others = scenes.filter((scene) => !byName.includes(scene))
  const found = specs.map((spec, n) => {
    const scene = isNameless(spec) ? others.shift() : byName[n]
    return {
      name: names[n]!,
      spec,
      scene: scene ?? wrong(`no modality is called ${names[n]}: give ${expected}`),
    }
  })
  if (new Set(found.map(({ scene }) => scene)).size < found.length)
    wrong(`one URL would be two modalities of the model: give ${expected}`)
  return found
}
