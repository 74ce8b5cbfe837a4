/**
 * The files that steps hand on, by the keys that `geoserver_push[].filepath_key` may name.
 */
export const ARTIFACTS = {
  original_input_image: 'the scene as delivered',
  imputed_input_image: 'the model input: float32, bands of the spec in order, nodata filled',
  model_output_image: 'the prediction: int16 (classes) or float32, one band, nodata -1 or -9999',
  model_output_probabilities:
    'the probability of each class: float32, a band a class, nodata -9999',
  model_output_logits: 'what the model gives for each class: float32, a band a class, nodata -9999',
  model_output_image_raw: 'the prediction before a generic processor changed it',
  model_input_original_image_rgb: 'red, green, blue of the scene, nodata -9999',
  model_output_image_masked: 'the prediction with 997 water, 998 snow, 999 cloud, nodata -9999',
  model_output_regularized_image: 'the prediction with regularised outlines',
  preview: 'a PNG of the prediction over the scene',
  item: 'a STAC Item of the task',
  archive: 'every raster and vector of the task, flat',
} as const

/** Files that a user's script left beside its raster have keys of their own, `processor/<file name>`. */
export type ArtifactKey = keyof typeof ARTIFACTS | `processor/${string}`
/**
 * Where a task has several modalities: the file of each, the first one included.
 *
 * The plain keys name the first modality's files, so that a step of one input needs no change.
 */
export type ModalityKey = `${'original' | 'imputed'}_input_image:${string}`
/** Artifact key to file name, inside the task's folder. */
export type Artifacts = Readonly<Partial<Record<ArtifactKey | ModalityKey, string>>>
