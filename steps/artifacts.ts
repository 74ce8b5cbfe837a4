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
  model_output_image_masked:
    'the prediction with 999 cloud, 998 snow, 997 water, 90 by URL, nodata -9999',
  model_output_regularized_image: 'the prediction with regularised outlines',
  model_output_regularized_vector: 'the regularised outlines, GeoJSON',
  model_output_classes: 'the masked prediction as bytes, with colour table and class names',
  model_output_classes_names: 'names of the classes, read by GDAL beside model_output_classes',
  model_output_vector: 'polygons of every class, GeoPackage',
  model_output_geojson: 'polygons of every class, GeoJSON',
  statistics: 'pixels, share and km² of every class, CSV',
  cloud_mask_image: 'what the cloud model says: 0 clear, 1 cloud, 2 shadow, nodata 255',
  mask_polygons: 'what mask_from_url names, as it was fetched',
  land_polygons: "the operator's land polygons",
  permanent_water_image: "the operator's permanent water, on the scene's grid",
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
