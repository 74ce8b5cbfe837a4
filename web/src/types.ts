/** What the API answers, as far as the page reads it. */
export interface Page<T> {
  readonly total_records: number
  readonly page_count: number
  readonly results: readonly T[]
}

export interface About {
  readonly user: string
  readonly by: 'off' | 'proxy' | 'key' | 'jwt'
  readonly version: string
  readonly basemap: { readonly url: string; readonly attribution: string } | null
  readonly geoserver: string | null
}

export interface StyleEntry {
  readonly color?: string
  readonly label?: string
  readonly opacity?: number | string
  readonly quantity?: number | string
  readonly channel?: number
  readonly minValue?: number
  readonly maxValue?: number
}

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
      }
}

export interface Band {
  readonly index?: number
  readonly band_name?: string
  readonly RGB_band?: string
  readonly scaling_factor?: number | string
}

export interface Model {
  readonly id: string
  readonly display_name: string
  readonly internal_name: string
  readonly description: string | null
  readonly version: number | null
  readonly latest: boolean | null
  readonly status: string
  readonly created_by: string
  readonly created_at: string
  readonly pipeline_steps: readonly { readonly process_id: string }[] | null
  readonly geoserver_push: readonly PushEntry[] | null
  readonly model_input_data_spec:
    | readonly {
        readonly connector?: string
        readonly collection?: string
        readonly bands?: readonly Band[]
      }[]
    | null
}

export interface Processor {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly processor_parameters: Readonly<Record<string, unknown>> | null
  readonly status: string
  readonly created_by: string
  readonly created_at: string
  readonly processor_file_path: string | null
  readonly processor_presigned_url: string | null
}

export interface SpatialDomain {
  readonly bbox: readonly (readonly number[])[]
  readonly polygons: readonly unknown[]
  readonly tiles: readonly unknown[]
  readonly urls: readonly unknown[]
  readonly omitted?: Readonly<Record<string, number>>
}

export interface RunError {
  readonly code: string
  readonly message: string
  readonly step?: string
  readonly task_id?: string | null
}

export interface Inference {
  readonly id: string
  readonly status: string
  readonly description: string | null
  readonly location: string | null
  readonly model_id: string
  readonly model_display_name: string
  readonly spatial_domain: SpatialDomain
  readonly temporal_domain: readonly string[]
  readonly maxcc: number | null
  readonly generic_processor_id: string | null
  readonly generic_processor: { readonly name?: string } | null
  readonly geoserver_layers: {
    readonly predicted_layers?: readonly { readonly uri: string; readonly display_name?: string }[]
  } | null
  readonly inference_output: {
    readonly errors?: readonly RunError[]
    readonly errors_omitted?: number
  } | null
  readonly created_by: string
  readonly created_at: string
  readonly updated_at: string
  readonly tasks_count_total: number
  readonly tasks_count_success: number
  readonly tasks_count_failed: number
  readonly tasks_count_stopped: number
}

export interface Step {
  readonly process_id: string
  readonly step_number: number
  readonly status: string
  readonly start_time?: string
  readonly end_time?: string
  readonly message?: string
  readonly error?: { readonly code: string; readonly message: string }
  readonly artifacts?: Readonly<Record<string, string>>
}

export interface Task {
  readonly task_id: string
  readonly status: string
  readonly pipeline_steps: readonly Step[]
}

export type Assets = Readonly<Record<string, { readonly title: string; readonly href: string }>>

export interface Plan {
  readonly error: { readonly code: string; readonly message: string } | null
  readonly tasks?: readonly {
    readonly source?: string
    readonly date?: string
    readonly [more: string]: unknown
  }[]
  readonly missing?: readonly { readonly message: string }[]
  readonly warnings?: readonly unknown[]
  readonly totals?: Readonly<Record<string, number | string | null>>
}

export interface ApiKey {
  readonly id: string
  readonly value: string
  readonly expires_on: string
  readonly active: boolean
}

export interface Group {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly created_by: string
  readonly members: readonly { readonly user_email: string; readonly role: string }[]
}

export interface Shared {
  readonly artifact_type: string
  readonly artifact_id: string
  readonly granted_by: string
}

const ENDED = ['COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'STOPPED']
export const hasEnded = (status: string): boolean => ENDED.includes(status)
