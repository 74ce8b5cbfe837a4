import Feature from 'ol/Feature.js'
import MultiPolygon from 'ol/geom/MultiPolygon.js'
import type BaseLayer from 'ol/layer/Base.js'
import TileLayer from 'ol/layer/Tile.js'
import VectorLayer from 'ol/layer/Vector.js'
import { get as getProjection, getTransform, type Projection } from 'ol/proj.js'
import VectorSource from 'ol/source/Vector.js'
import XYZ from 'ol/source/XYZ.js'
import Fill from 'ol/style/Fill.js'
import Stroke from 'ol/style/Stroke.js'
import Style from 'ol/style/Style.js'
import { feature } from 'topojson-client'
import land from 'world-atlas/land-110m.json'
import { isDark } from '../theme.ts'
import type { About } from '../types.ts'
import { clipped } from './clip.ts'
import { graticule } from './graticule.ts'

/** Degrees from the middle of a projected zone within which its formulas hold. */
const REACH = 25

/** West and east of what a projection can show. */
const windowOf = (code: string): readonly [number, number] => {
  const zone = /^EPSG:32[67](\d\d)$/.exec(code)?.[1]
  if (!zone) return [-180, 180]
  const middle = Number(zone) * 6 - 183
  return [middle - REACH, middle + REACH]
}

/** Natural Earth's land, 1:110 million: to see where in the world one is, not where the shore is. */
const landLayer = (projection: Projection): VectorLayer => {
  const shapes = feature(land as never, (land as any).objects.land as never) as any
  const polygons = (shapes.features as any[]).flatMap(({ geometry }) =>
    geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates,
  ) as number[][][][]
  const rings = clipped(polygons, windowOf(projection.getCode()))
  const geometry = new MultiPolygon(rings).transform('EPSG:4326', projection)
  const features = [new Feature(geometry)]
  const fill = new Fill()
  const stroke = new Stroke({ width: 1 })
  return new VectorLayer({
    source: new VectorSource({ features }),
    style: () => {
      fill.setColor(isDark() ? '#232c31' : '#f1f2ec')
      stroke.setColor(isDark() ? '#4d5b63' : '#b9beb2')
      return new Style({ fill, stroke })
    },
  })
}

/** What lies below the layers: the operator's tiles, or the coast, with a graticule over either. */
export const baseLayers = (basemap: About['basemap'], code: string): BaseLayer[] => {
  const projection = getProjection(code)
  // A CRS that the page has no formulas for: the raster is shown in it, nothing else can be.
  if (!projection || !isKnown(projection)) return []
  const lowest = basemap
    ? new TileLayer({
        source: new XYZ({
          url: basemap.url,
          crossOrigin: 'anonymous',
          // It is text; OpenLayers would take it for HTML.
          attributions: basemap.attribution.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`),
        }),
      })
    : landLayer(projection)
  return [lowest, graticule(projection)]
}

const isKnown = (projection: Projection): boolean => {
  try {
    return !!getTransform('EPSG:4326', projection)
  } catch {
    return false
  }
}
