import type { CatalogueRow } from '../../connectors/row.ts'
import type { InputSpec } from '../../steps/plan-context.ts'
import { PlanError } from '../errors.ts'
import type { InferenceRequest } from '../request.ts'

/** One modality of the model and the collection that it is read from. */
export interface Modality {
  readonly spec: InputSpec
  readonly row: CatalogueRow
  /** `connector/collection` */
  readonly collection: string
  /** In file names */
  readonly tag: string
  readonly bands: readonly string[]
  /** Days that its date may lie beside the first modality's */
  readonly tolerance: number
}

const TOLERANCE = 1

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/**
 * The collection of each modality: named by the spec, or by the request's `data_connector_config`.
 *
 * @throws PlanError `plan.no_connector` where there is none, or it cannot be searched
 */
export const modalitiesOf = (
  specs: readonly InputSpec[],
  request: InferenceRequest,
  find: (connector: string, collection: string) => CatalogueRow | undefined,
): Modality[] => {
  const found = specs.map((spec, n) => {
    const given = request.data_connector_config?.[n] ?? {}
    const connector = text(given.connector) ?? text(spec.connector)
    const collection =
      text(given.collection) ?? text(given.collection_name) ?? text(spec.collection)
    const field = `model_input_data_spec.${n}`
    if (!connector || !collection)
      throw new PlanError(
        'plan.no_connector',
        `${field}: a search by place needs connector and collection: name them there, or give scenes by spatial_domain.urls`,
      )
    const row = find(connector, collection)
    if (!row?.search)
      throw new PlanError(
        'plan.no_connector',
        `${field}: ${connector}/${collection} ${row ? 'cannot be searched here' : 'is no known data source'}: see GET /v2/data-sources, or give scenes by spatial_domain.urls`,
      )
    return {
      spec,
      row,
      collection: `${connector}/${collection}`,
      tag:
        text(given.modality_tag) ??
        text(spec.modality_tag) ??
        row.source.modality_tag ??
        collection,
      bands: spec.bands.map(({ band_name }) => band_name),
      tolerance: Number(spec.date_tolerance_days ?? TOLERANCE),
    }
  })
  const tags = found.map(({ tag }) => tag)
  const twice = tags.find((tag, n) => tags.indexOf(tag) !== n)
  if (twice !== undefined)
    throw new PlanError(
      'request.modalities',
      `model_input_data_spec: two modalities are called ${twice}: give each a modality_tag of its own, there or in data_connector_config`,
    )
  return found
}

/** Finest resolution that is wanted of any modality, metres. */
export const resolutionOf = (
  modalities: readonly Modality[],
  request: InferenceRequest,
): number => {
  const each = modalities.map(({ row, bands }, n) => {
    const given = Number(request.data_connector_config?.[n]?.resolution_m)
    const gsds = bands.flatMap((name) => row.bands[name]?.gsd ?? [])
    const finest = gsds.length ? Math.min(...gsds) : null
    return given > 0 ? given : (row.source.resolution_m ?? finest ?? 10)
  })
  return Math.min(...each)
}
