import type { components } from './openapi.ts'

/** What the API answers: the types of /openapi.json, and what it leaves open, as the page reads it. */
type Schemas = components['schemas']
type With<T, More> = Omit<T, keyof More> & More

export type About = Schemas['Page']
export type ApiKey = Schemas['ApiKey']
export type Output = Schemas['TaskOutput']
export type Assets = Output['assets']
export type Group = Schemas['Group']
export type Plan = Schemas['DryRun']['plan']
export type Processor = Schemas['Processor']
export type Shared = Schemas['Share']
export type Step = Schemas['Step']
export type Task = Schemas['Tasks']['tasks'][number]
export type Page<T> = With<Schemas['Processors'], { readonly results: readonly T[] }>

export interface StyleEntry {
  readonly color?: string
  readonly label?: string
  readonly opacity?: number | string
  readonly quantity?: number | string
  readonly channel?: number
  readonly minValue?: number
  readonly maxValue?: number
}

/** An entry of `geoserver_push`. */
export interface PushEntry {
  readonly layer_name?: string
  readonly display_name?: string
  readonly filepath_key?: string
  readonly z_index?: number
  readonly visible_by_default?: string | boolean
  readonly geoserver_style?:
    | string
    | {
        readonly segmentation?: readonly StyleEntry[]
        readonly regression?: readonly StyleEntry[]
        readonly rgb?: readonly StyleEntry[]
        /** The band of a segmentation or a regression, from 1 */
        readonly channel?: number
      }
}

export interface Band {
  readonly index?: number
  readonly band_name?: string
  readonly RGB_band?: string
  readonly scaling_factor?: number | string
}

export type Model = With<
  Schemas['Model'],
  {
    readonly geoserver_push: readonly PushEntry[] | null
    readonly model_input_data_spec:
      | readonly {
          readonly connector?: string
          readonly collection?: string
          readonly bands?: readonly Band[]
        }[]
      | null
  }
>

export interface RunError {
  readonly code: string
  readonly message: string
  readonly step?: string
  readonly task_id?: string | null
}

export type Inference = With<
  Schemas['Inference'],
  {
    readonly generic_processor: { readonly name?: string } | null
    readonly geoserver_layers: {
      readonly predicted_layers?: readonly {
        readonly uri: string
        readonly display_name?: string
      }[]
    } | null
    readonly inference_output: {
      readonly errors?: readonly RunError[]
      readonly errors_omitted?: number
    } | null
  }
>

const ENDED = ['COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'STOPPED']
export const hasEnded = (status: string): boolean => ENDED.includes(status)
