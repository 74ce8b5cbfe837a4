/** What users read for GEOStudio's error codes. @see docs/wire.md#notifications */
const TEXTS: Readonly<Record<string, string>> = {
  1001: 'No data available for location/date.',
  1002: 'Image smaller than 224 x 224.',
  1003: 'Invalid data type.',
  1004: 'Invalid output_url.',
  1005: 'Event_id/UUID is already in use.',
  1006: 'Unable to get data from pre-signed url. Check authentication and expiration.',
  1007: 'Input is not a GeoTiff.',
  1011: 'Invalid url.',
  1012: 'Invalid data type from URL. Must be .zip, .tif, or .tiff.',
  1013: 'One of input image bands has no valid pixels.',
  1017: 'Connection timeout error.',
  1018: 'No valid images for preprocessing.',
  1030: 'Inference service temporarily unavailable.',
  1032: 'An error occured when running inference.',
  1040: 'Preprocessing error… Inference failed',
  1041: 'Model deploy error…',
  1042: 'Making inference error…',
  1043: 'Postprocessing error……',
  1044: 'Planning error……',
}

/** The text of a code, given as number or text; undefined for one that has none. */
export const userText = (code: unknown): string | undefined =>
  typeof code === 'number' || typeof code === 'string' ? TEXTS[String(code)] : undefined
