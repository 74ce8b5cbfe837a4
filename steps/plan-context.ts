import type { z } from 'zod'
import type { FrozenItem, Grid } from '../connectors/item.ts'

/** One band of a modality, as the model's spec has it; `index` counts from 0. */
export interface SpecBand {
  readonly index: number
  readonly band_name: string
  readonly RGB_band: 'R' | 'G' | 'B' | null
  readonly scaling_factor: number
  readonly [extra: string]: unknown
}
/** One modality that a model takes. */
export interface InputSpec {
  readonly connector?: string | undefined
  readonly collection?: string | undefined
  readonly bands: readonly SpecBand[]
  readonly [extra: string]: unknown
}
/** One layer to publish. */
export interface PushEntry {
  readonly workspace: string
  readonly layer_name: string
  readonly display_name: string
  readonly filepath_key: string
  readonly file_suffix: string
  readonly geoserver_style: string | Readonly<Record<string, unknown>>
  readonly [extra: string]: unknown
}

/** A user's script and what it is called with. */
export interface Processor {
  readonly script: string
  readonly file_name: string
  readonly processor_parameters: Record<string, z.core.util.JSONType>
  readonly limits?: Record<string, z.core.util.JSONType>
}

/** One scene by URL or by the name of a file that was given. */
export interface Scene {
  /** Name of the modality in the request; null where the model takes one */
  readonly modality: string | null
  readonly url?: string
  readonly file?: string
  /** File inside a zip that holds several scenes */
  readonly member?: string
}
/** What one modality of a task is read from: items of a catalogue, most wanted first. */
export interface ModalityItems {
  /** Tag of the modality in file names */
  readonly name: string
  /** `connector/collection`: row of the catalogue */
  readonly collection: string
  /** Day of these items, YYYY-MM-DD, solar at the centre of the box; null for a timeless collection */
  readonly date: string | null
  readonly items: readonly FrozenItem[]
  /** How the catalogue's row is read: what `readingOf` of connectors/hosts.ts gives */
  readonly reading: {
    /** Hosts that hrefs and redirects may lead to, `x.org` with all below it; empty: any public one */
    readonly hosts: readonly string[]
    readonly allow_private_hosts: boolean
    readonly driver: 'GTiff' | 'JP2OpenJPEG'
  }
  /** Which convention the values follow, such as `harmonised`: goes into the tags of the files */
  readonly radiometry: string
  /** Sentinel Hub's process request, without its secret, instead of reading files */
  readonly process?: { readonly url: string; readonly body: Readonly<Record<string, unknown>> }
}
/** Where the pixels of one task come from; one entry a modality, in the order of the spec. */
export type Source =
  | { readonly kind: 'scene'; readonly scenes: readonly Scene[] }
  | {
      readonly kind: 'items'
      readonly grid: Grid
      /** [west, south, east, north], EPSG:4326; west > east where it crosses 180 degrees */
      readonly bbox: readonly [number, number, number, number]
      /** GeoJSON geometry, EPSG:4326: pixels outside become nodata; null keeps the whole box */
      readonly clip: unknown
      readonly modalities: readonly ModalityItems[]
    }

/** Where the operator has better masks than those that come with geodag. */
export interface MaskSettings {
  /** URL of polygons of land: GeoJSON, GeoPackage or a zipped Shapefile */
  readonly landPolygons?: string
  /** URL of a raster of permanent water, or of a STAC collection of such */
  readonly permanentWater?: string
  /** Its values that are water; default 1 */
  readonly permanentWaterValues?: readonly number[]
}

/** A server that runs the model: vLLM's pooling API. */
export interface ModelServer {
  readonly url: string
  /** Name that the server knows the model by */
  readonly model: string
}

/** What the caller adds to the request: the same for all tasks. */
export interface PlanOptions {
  readonly processor?: Processor
  readonly geoserverUrl?: string
  readonly allowPrivateHosts?: boolean
  readonly masks?: MaskSettings
  /** Origins of the operator's own model servers, such as `http://vllm:8000`: may be private */
  readonly modelServers?: readonly string[]
  /** The inference exec asks the engine for GPUs */
  readonly gpu?: boolean
}

/** A model in the words of STAC's MLM extension: properties of an Item, and the asset of its weights. */
export interface ModelCard {
  readonly properties: Readonly<Record<string, unknown>>
  readonly weights: Readonly<Record<string, unknown>>
}

/** What is the same for all tasks of an inference; the request's own values win over the model's. */
export interface PlanRequest {
  readonly inference_id: string
  readonly model: string
  /** null or absent where no model is run */
  readonly model_card?: ModelCard | null
  /** The model's `inference` block, checked by the step that runs it */
  readonly inference: unknown
  /** Where the model is deployed, for one that runs elsewhere */
  readonly server?: ModelServer | null
  readonly input_spec: readonly InputSpec[]
  /** A class band in a raster of its own: for masks, and read by no model */
  readonly mask_spec?: InputSpec
  readonly layers: readonly PushEntry[]
  readonly post_processing: Readonly<Record<string, unknown>>
  readonly options: PlanOptions
}

/** All that a step may plan its parameters from: pure data, no clock, no network. */
export interface PlanContext extends PlanRequest {
  readonly task_id: string
  readonly source: Source
  /** Acquisition day, YYYY-MM-DD, UTC; null where nobody knows it */
  readonly date: string | null
  /** Tasks of the whole inference; 1 where it is not said */
  readonly task_count?: number
  /** No step works on the scene between its arrival and its publication */
  readonly as_delivered?: boolean
}
