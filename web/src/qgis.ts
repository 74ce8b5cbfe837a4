import type { Assets } from './types.ts'

const escape = (text: string): string =>
  text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

const RASTERS = /\.tiff?$/i
const VECTORS = /\.(geojson|gpkg)$/i

/**
 * A QGIS layer definition (QLR) of a task's rasters and vectors, read by range from where they lie.
 *
 * The URLs are signed for 84 hours: a layer file for longer is made from the archive. Colours come
 * with the files themselves (colour table, class names), so the definition holds none.
 */
export const qgisLayers = (assets: Assets): string => {
  const shown = Object.entries(assets).filter(
    ([, { title }]) => RASTERS.test(title) || VECTORS.test(title),
  )
  const layers = shown.map(([key, { title, href }]) => {
    const raster = RASTERS.test(title)
    return {
      id: `geodag_${key.replace(/\W/g, '_')}`,
      name: escape(title),
      type: raster ? 'raster' : 'vector',
      provider: raster ? 'gdal' : 'ogr',
      source: escape(`/vsicurl/${href}`),
    }
  })
  const tree = layers.map(
    ({ id, name, provider, source }) =>
      `<layer-tree-layer id="${id}" name="${name}" providerKey="${provider}" source="${source}" checked="Qt::Checked" expanded="0"/>`,
  )
  const maps = layers.map(
    ({ id, name, type, provider, source }) =>
      `<maplayer type="${type}"><id>${id}</id><datasource>${source}</datasource><layername>${name}</layername><provider>${provider}</provider></maplayer>`,
  )
  return `<!DOCTYPE qgis-layer-definition>
<qlr>
<layer-tree-group name="" checked="Qt::Checked" expanded="1">
${tree.join('\n')}
</layer-tree-group>
<maplayers>
${maps.join('\n')}
</maplayers>
</qlr>
`
}
