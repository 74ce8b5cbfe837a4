/**
 * A module of one's own that composes geodag's steps: how much of a scene is water, as a gate of a build.
 */
import { dag, Directory, File, func, object } from '@dagger.io/dagger'

@object()
export class FloodAlert {
  /** What geodag's steps make of a scene: fetch, infer, and after them a container of this module's own. */
  @func()
  async steps(
    /** GeoTIFF of 13 bands, Sentinel-2 L1C */
    scene: File,
    /** Acquisition date, YYYY-MM-DD */
    date: string,
  ): Promise<Directory> {
    const geodag = dag.geodag()
    const model = JSON.parse(await geodag.model({ name: 'tiny-water' }))
    const bands = model.model_input_data_spec[0].bands.map(
      ({ index, band_name, scaling_factor }: Record<string, unknown>) => ({
        index,
        band_name,
        scaling_factor,
      }),
    )
    const input = dag.directory().withFile('scene.tif', scene)
    const fetched = geodag.urlConnector(JSON.stringify({ file: 'scene.tif', date, bands }), {
      input,
    })
    const inferred = geodag.onnxInference(JSON.stringify(model.inference), fetched)
    const masks = { rgb: [3, 2, 1], bands: bands.map(({ index }: { index: number }) => index) }
    return geodag.postprocessGeneric(JSON.stringify({ date, ...masks }), inferred)
  }

  /** Percent of the scene that is water. */
  @func()
  async waterShare(scene: File, date: string): Promise<string> {
    const made = await this.steps(scene, date)
    const text = await dag
      .container()
      .from('debian:bookworm-slim')
      .withMountedFile('/stats.csv', made.file('stats.csv'))
      .withExec(['awk', '-F,', '$1 == 1 { printf "%.1f", 100 * $4 }', '/stats.csv'])
      .stdout()
    return text || '0.0'
  }

  /** Ends with exit code 1 where more of the scene is water than may be: for CI. */
  @func()
  async check(scene: File, date: string, most: number = 30): Promise<string> {
    const share = await this.waterShare(scene, date)
    if (Number(share) > most) throw new Error(`${share} % of the scene is water, at most ${most} %`)
    return `${share} % of the scene is water`
  }
}
