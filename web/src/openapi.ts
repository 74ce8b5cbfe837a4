/* From /openapi.json by `npm run api-types`; a test holds it to the document. */
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        readonly ApiKey: {
            /** Format: uuid */
            readonly id: string;
            /** @description Whole when the key is made, its end ever after */
            readonly value: string;
            /** @description UTC, without a zone */
            readonly expires_on: string;
            readonly active: boolean;
        };
        readonly ApiKeys: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["ApiKey"][];
        };
        readonly CollectionNames: {
            readonly results: readonly string[];
        };
        readonly DataAdvice: {
            readonly results: readonly {
                /** @description WGS84, degrees */
                readonly bbox: readonly number[];
                readonly unique_dates: readonly string[];
                readonly available_data?: readonly {
                    readonly id: string;
                    readonly properties: {
                        readonly datetime: string;
                        readonly "eo:cloud_cover": number | null;
                    };
                }[];
                /** @description Where no day has a scene */
                readonly message?: string;
            }[];
        };
        readonly DataSource: {
            readonly connector: string;
            readonly collection_name: string;
            readonly bands: readonly {
                readonly band_name: string;
                readonly alt_names?: readonly string[];
                /** @description With its unit: 10m */
                readonly resolution: string;
                readonly description: string;
                readonly RGB_band?: string;
                readonly scale_factor?: number;
            }[];
            readonly data_collection: string | null;
            readonly resolution_m: number | null;
            readonly rgb_bands: readonly string[] | null;
            readonly modality_tag: string;
            readonly cloud_masking: {
                readonly band: string;
                readonly encoding: string;
            } | null;
            readonly permanent_water_masking: {
                readonly band: string;
                readonly encoding: string;
            } | null;
            readonly query_template: string | null;
            readonly search: {
                readonly fields: string;
                readonly filter: string;
            } | null;
            readonly request_input_data: {
                readonly [key: string]: unknown;
            } | null;
            readonly max_query_bbox_dimension: number | null;
            readonly id: string;
        };
        readonly DataSources: {
            readonly results: readonly components["schemas"]["DataSource"][];
        };
        readonly Deployment: {
            /** Format: uuid */
            readonly id: string;
            readonly internal_name: string;
            readonly display_name: string;
            readonly status: string;
        };
        readonly DryRun: {
            readonly spatial_domain: {
                readonly [key: string]: unknown;
            };
            readonly temporal_domain: readonly string[];
            readonly model_input_data_spec: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly data_connector_config: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly geoserver_push: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly pipeline_steps: readonly components["schemas"]["Step"][];
            readonly post_processing: {
                readonly [key: string]: unknown;
            };
            readonly fine_tuning_id: null;
            readonly generic_processor: {
                readonly [key: string]: unknown;
            } | null;
            readonly maxcc: number;
            readonly model_id: string;
            readonly model_internal_name: string;
            readonly tune_id: string;
            readonly request_type: string;
            /** Format: uuid */
            readonly inference_id: string;
            readonly description: string | null;
            readonly location: string | null;
            readonly model_access_url: string | null;
            readonly user: string;
            readonly inferencing: unknown;
            readonly plan: {
                readonly tasks?: readonly ({
                    /** @description WGS84, degrees */
                    readonly bbox: readonly number[];
                    readonly dimensions: readonly [
                        number,
                        number
                    ];
                    readonly grid: unknown;
                    readonly date: string | null;
                    readonly cloud: number | null;
                    readonly coverage: number;
                    readonly items: readonly {
                        readonly id: string;
                        readonly collection: string;
                        readonly datetime: string;
                        readonly cloud_cover: number | null;
                        /** @description Of the box, 0 to 1 */
                        readonly share: number;
                        readonly baseline: string | null;
                    }[];
                    readonly bytes_read: number;
                    readonly bytes_written: number;
                    readonly requests: number;
                    readonly processing_units: number;
                } | {
                    readonly source: string;
                    readonly date: string | null;
                })[];
                readonly totals?: {
                    readonly tasks: number;
                    readonly items?: number;
                    readonly days?: number;
                    readonly pixels?: number;
                    readonly bytes_read?: number;
                    readonly bytes_written?: number;
                    readonly requests?: number;
                    readonly cost?: string;
                    readonly expected_seconds: number | null;
                };
                /** @description Steps that ran before on an engine that answers now. No promise that its cache still has them */
                readonly earlier_runs?: {
                    /** @description Tasks that were looked up: the first 200 */
                    readonly tasks: number;
                    readonly steps: readonly {
                        readonly process_id: string;
                        /** @description It reads or changes things outside: no cache answers it */
                        readonly always_runs: boolean;
                        readonly tasks: number;
                        /** @description Tasks in which it would be called with the same as in an earlier run of yours */
                        readonly seen_before: number;
                        readonly last_run_at: string | null;
                    }[];
                };
                readonly missing?: readonly {
                    readonly field: string;
                    /** @description WGS84, degrees */
                    readonly bbox: readonly number[];
                    readonly reason: string;
                    readonly nearest: readonly string[];
                    readonly error_code: number;
                    readonly message: string;
                }[];
                readonly warnings?: readonly string[];
                readonly measured?: readonly string[];
                readonly estimated?: readonly string[];
                /** @description Why it cannot be planned */
                readonly error: {
                    readonly code: string;
                    readonly message: string;
                } | null;
            };
        };
        readonly Error: {
            readonly detail: string | readonly ({
                readonly msg: string;
                readonly type?: string;
                readonly loc?: readonly (string | number)[];
            } & {
                readonly [key: string]: unknown;
            })[] | ({
                readonly msg?: string;
                readonly message?: string;
            } & {
                readonly [key: string]: unknown;
            });
        };
        readonly FileShare: {
            readonly upload_url: string;
            readonly download_url: string;
            readonly message: string;
        };
        readonly Group: {
            /** Format: uuid */
            readonly id: string;
            readonly name: string;
            readonly description: string | null;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            readonly members: readonly {
                readonly user_email: string;
                /** @description owner or member */
                readonly role: string;
                /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
                readonly added_at: string;
            }[];
        };
        readonly Groups: readonly components["schemas"]["Group"][];
        readonly Inference: {
            readonly spatial_domain: {
                readonly bbox: readonly (readonly number[])[];
                readonly polygons: readonly {
                    readonly [key: string]: unknown;
                }[];
                readonly tiles: readonly unknown[];
                readonly urls: readonly (string | {
                    readonly [key: string]: string;
                })[];
                /** @description In a list, of a long request: how many entries are left out */
                readonly omitted?: {
                    readonly [key: string]: number;
                };
            };
            readonly temporal_domain: readonly string[];
            readonly fine_tuning_id: string | null;
            readonly generic_processor: {
                readonly [key: string]: unknown;
            } | null;
            readonly maxcc: number;
            readonly model_display_name: string;
            readonly description: string | null;
            readonly location: string | null;
            readonly geoserver_layers: {
                readonly [key: string]: unknown;
            } | null;
            readonly demo: {
                readonly [key: string]: unknown;
            } | null;
            /** Format: uuid */
            readonly model_id: string;
            readonly inference_output: {
                readonly [key: string]: unknown;
            } | null;
            readonly generic_processor_id: string | null;
            /** Format: uuid */
            readonly id: string;
            readonly active: boolean;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at: string;
            readonly status: string;
            /** @description Steps of all tasks, the planner included */
            readonly tasks_count_total: number;
            readonly tasks_count_success: number;
            readonly tasks_count_failed: number;
            readonly tasks_count_stopped: number;
            readonly tasks_count_waiting: number;
        };
        readonly Inferences: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["Inference"][];
        };
        readonly Message: {
            readonly msg: string;
        };
        readonly Model: {
            readonly display_name: string;
            readonly description: string | null;
            readonly model_url: string | null;
            readonly pipeline_steps: readonly ({
                readonly process_id: string;
                readonly step_number: number;
            } & {
                readonly [key: string]: unknown;
            })[] | null;
            readonly geoserver_push: readonly {
                readonly [key: string]: unknown;
            }[] | null;
            readonly model_input_data_spec: readonly {
                readonly [key: string]: unknown;
            }[] | null;
            readonly postprocessing_options: {
                readonly [key: string]: unknown;
            } | null;
            readonly sharable: boolean;
            readonly model_onboarding_config: {
                readonly [key: string]: unknown;
            } | null;
            readonly latest: boolean;
            readonly version: number;
            readonly internal_name: string;
            /** Format: uuid */
            readonly id: string;
            readonly active: boolean;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at: string;
            readonly status: string;
            /** @description How its files are run */
            readonly inference?: {
                readonly [key: string]: unknown;
            };
            readonly licence?: string;
            /** @description Why its export has failed */
            readonly error?: {
                readonly code: string;
                readonly message: string;
            };
            /** @description The log of its export, live while it runs */
            readonly logs_presigned_url?: string;
        };
        readonly ModelItem: {
            /** @constant */
            readonly type: "Feature";
            readonly id: string;
            readonly properties: {
                readonly "mlm:name": string;
                readonly "mlm:tasks": readonly string[];
            } & {
                readonly [key: string]: unknown;
            };
            readonly assets: {
                readonly [key: string]: {
                    readonly href: string;
                } & {
                    readonly [key: string]: unknown;
                };
            };
        } & {
            readonly [key: string]: unknown;
        };
        readonly Models: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["Model"][];
        };
        readonly Noted: {
            /** Format: uuid */
            readonly id: string;
            readonly detail: {
                readonly [key: string]: unknown;
            } | null;
            readonly source: string | null;
            readonly detail_type: string | null;
            readonly timestamp: string | null;
            /** Format: uuid */
            readonly event_id: string;
        };
        readonly Notification: {
            /** Format: uuid */
            readonly id: string;
            readonly detail: {
                readonly [key: string]: unknown;
            } | null;
            readonly source: string | null;
            readonly detail_type: string | null;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly timestamp: string;
            /** Format: uuid */
            readonly event_id: string;
        };
        readonly Notifications: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["Notification"][];
        };
        readonly Page: {
            /** @description E-mail of who asks */
            readonly user: string;
            /** @enum {string} */
            readonly by: "off" | "proxy" | "key" | "jwt";
            readonly version: string;
            readonly basemap: {
                readonly url: string;
                readonly attribution: string;
            } | null;
            readonly geoserver: string | null;
        };
        readonly Processor: {
            readonly name: string;
            readonly description: string | null;
            readonly processor_parameters: {
                readonly [key: string]: unknown;
            } | null;
            /** Format: uuid */
            readonly id: string;
            readonly active: boolean;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at: string;
            /** @description FINISHED, or FAILED where its file was not stored */
            readonly status: string;
            readonly processor_file_path: string | null;
            /** @description Of its file, 8 hours; in the answer of the one only */
            readonly processor_presigned_url: string | null;
        };
        readonly Processors: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["Processor"][];
        };
        readonly Share: {
            /** Format: uuid */
            readonly group_id: string;
            readonly artifact_type: string;
            readonly artifact_id: string;
            readonly granted_by: string;
        };
        readonly Shares: readonly {
            /** Format: uuid */
            readonly group_id: string;
            readonly artifact_type: string;
            readonly artifact_id: string;
            readonly granted_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly granted_at: string;
        }[];
        readonly Step: {
            readonly status: string;
            readonly process_id: string;
            readonly step_number: number;
            readonly start_time?: string;
            readonly end_time?: string;
            readonly error?: {
                readonly code: string;
                readonly message: string;
            } & {
                readonly [key: string]: unknown;
            };
            readonly message?: string;
            readonly result?: unknown;
            /** @description Pixels, share and km² of each class, as /v2/tasks/{id}/output has it */
            readonly statistics?: unknown;
            readonly artifacts?: {
                readonly [key: string]: string;
            };
        } & {
            readonly [key: string]: unknown;
        };
        readonly TaskLog: {
            readonly task_id: string;
            readonly step_id: string;
            readonly step_log_url: string;
            readonly status: string;
            readonly warning: string | null;
        };
        readonly TaskOutput: {
            readonly task_id: string;
            /** @description archive.zip: 84 h, Range, no header */
            readonly output_url: string;
            readonly url: string;
            readonly assets: {
                readonly [key: string]: {
                    readonly title: string;
                    readonly href: string;
                };
            };
            readonly statistics: (readonly {
                readonly value: number;
                readonly label: string;
                readonly pixels: number;
                /** @description Of the pixels with data, 0 to 1 */
                readonly share: number;
                /** @description null where the raster has no CRS */
                readonly area_km2: number | null;
            }[] | {
                readonly valid_pixels: number;
                readonly minimum?: number;
                readonly maximum?: number;
                readonly mean?: number;
                readonly stddev?: number;
            }) | null;
        };
        readonly Tasks: {
            /** Format: uuid */
            readonly inference_id: string;
            readonly status: string;
            readonly next_cursor?: string | null;
            readonly tasks: readonly {
                /** Format: uuid */
                readonly inference_id: string;
                readonly task_id: string;
                readonly inference_folder: string | null;
                readonly status: string;
                readonly pipeline_steps: readonly components["schemas"]["Step"][];
            }[];
        };
        readonly Tune: {
            readonly id: string;
            readonly name: string;
            readonly description: string | null;
            readonly status: string;
            readonly train_options: {
                readonly [key: string]: unknown;
            };
            readonly shared: boolean;
            /** @description None: tunes are not trained here */
            readonly metrics: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly active: boolean;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at: string;
            /** @description Why its export has failed */
            readonly error?: {
                readonly code: string;
                readonly message: string;
            };
            /** @description The log of its export, live while it runs */
            readonly logs_presigned_url?: string | null;
        } & {
            readonly [key: string]: unknown;
        };
        readonly TuneChanged: {
            readonly id: string;
            readonly name: string;
            readonly description: string | null;
            readonly status: string;
            readonly train_options: {
                readonly [key: string]: unknown;
            };
            readonly shared: boolean;
            /** @description None: tunes are not trained here */
            readonly metrics: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly active: boolean;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at: string;
            /** @description Why its export has failed */
            readonly error?: {
                readonly code: string;
                readonly message: string;
            };
            /** @description The log of its export, live while it runs */
            readonly logs_presigned_url?: string | null;
            readonly message: string;
        } & {
            readonly [key: string]: unknown;
        };
        readonly TuneFiles: {
            readonly id: string;
            readonly name: string;
            readonly description: string | null;
            readonly status: string;
            readonly train_options: {
                readonly [key: string]: unknown;
            };
            readonly shared: boolean;
            /** @description None: tunes are not trained here */
            readonly metrics: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly active: boolean;
            readonly created_by: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at: string;
            /** @description Why its export has failed */
            readonly error?: {
                readonly code: string;
                readonly message: string;
            };
            /** @description The log of its export, live while it runs */
            readonly logs_presigned_url?: string | null;
            readonly config_url?: string;
            readonly checkpoint_url?: string;
        } & {
            readonly [key: string]: unknown;
        };
        readonly TuneMetrics: {
            readonly id: string;
            readonly status: string;
            readonly runs: readonly {
                readonly [key: string]: unknown;
            }[];
            readonly details: string;
        };
        readonly TuneOrModel: {
            /** @description Of a tune its id, of a model its internal name */
            readonly id: string;
            /** @description Of a model, for /v2/models/{id} */
            readonly model_id?: string | null;
            readonly name: string;
            readonly status: string;
            readonly shared: boolean;
            readonly description: string;
            /** @enum {string} */
            readonly model_type: "Tune" | "Model";
            readonly active_: boolean;
            readonly created_by_: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly created_at_: string;
            /** @description UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ */
            readonly updated_at_: string;
        };
        readonly TuneUpload: {
            readonly message: string;
            readonly tune_id: string;
        };
        readonly Tunes: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["Tune"][];
        };
        readonly TunesAndModels: {
            readonly total_records: number;
            readonly page_count: number;
            readonly next_cursor?: string | null;
            readonly results: readonly components["schemas"]["TuneOrModel"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
