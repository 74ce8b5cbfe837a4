import GeoJSON from 'ol/format/GeoJSON.js'
import type Layer from 'ol/layer/Layer.js'
import VectorLayer from 'ol/layer/Vector.js'
import WebGLTileLayer from 'ol/layer/WebGLTile.js'
import { getRenderPixel } from 'ol/render.js'
import type RenderEvent from 'ol/render/Event.js'
import type OlMap from 'ol/Map.js'
import GeoTIFF from 'ol/source/GeoTIFF.js'
import VectorSource from 'ol/source/Vector.js'
import Stroke from 'ol/style/Stroke.js'
import Style from 'ol/style/Style.js'
import { type LayerKind, SCENE_KEY, SCENE_NODATA, webglStyle } from './styles.ts'

/**
 * The bands that are drawn, and what has no data in each: OpenLayers 10 looks for a band's own nodata
 * in the tags of another image of the file, and finds it for the first band alone.
 */
const bandsOf = ({ key, type, channels }: LayerKind) => ({
  bands: channels.map(({ band }) => band),
  ...(type === 'rgb' && key === SCENE_KEY ? { nodata: SCENE_NODATA } : {}),
})

/** A COG, read by range in its own CRS; colours are put on its values here. */
export const rasterLayer = (kind: LayerKind, href: string): WebGLTileLayer => {
  const source = new GeoTIFF({
    sources: [{ url: href, ...bandsOf(kind) }],
    // Values as they are; none between two classes, nor between a value and no data.
    normalize: false,
    interpolate: kind.type === 'rgb',
    convertToRGB: false,
    transition: 0,
  })
  const layer = new WebGLTileLayer({ source, style: { color: ['color', 0, 0, 0, 0] } })
  const ready = () => {
    if (source.getState() !== 'ready') return
    source.un('change', ready)
    // Where a file names its nodata, OpenLayers adds a band: 0 there.
    const alpha = source.nodataBandIndex
    layer.set('alpha', alpha)
    layer.setStyle(webglStyle(kind, alpha))
  }
  source.on('change', ready)
  ready()
  return layer
}

/** Polygons of classes: outlines in their colours. */
export const vectorLayer = (kind: LayerKind, href: string): VectorLayer => {
  const source = new VectorSource({ url: href, format: new GeoJSON() })
  const colours = new Map(kind.entries.map(({ value, color }) => [value, color]))
  return new VectorLayer({
    source,
    style: (feature) => {
      const value = Number(feature.get('class'))
      const color = colours.get(value) ?? '#d81b60'
      return new Style({ stroke: new Stroke({ color, width: 1.5 }) })
    },
  })
}

/** Shows a layer right of a share of the map's width only; `share` is asked at every drawing. */
export const swipe = (layer: Layer, map: OlMap, share: () => number): void => {
  const before = (event: RenderEvent) => {
    const size = map.getSize()
    if (!size) return
    const left = size[0]! * share()
    const context = event.context as WebGLRenderingContext | CanvasRenderingContext2D
    if ('scissor' in context) {
      const bottomLeft = getRenderPixel(event, [left, size[1]!])
      const topRight = getRenderPixel(event, [size[0]!, 0])
      context.enable(context.SCISSOR_TEST)
      context.scissor(
        Math.round(bottomLeft[0]!),
        Math.round(bottomLeft[1]!),
        Math.max(0, Math.round(topRight[0]! - bottomLeft[0]!)),
        Math.max(0, Math.round(topRight[1]! - bottomLeft[1]!)),
      )
      return
    }
    const corners = [
      [left, 0],
      [size[0]!, 0],
      [size[0]!, size[1]!],
      [left, size[1]!],
    ].map((corner) => getRenderPixel(event, corner))
    context.save()
    context.beginPath()
    corners.forEach(([x, y], n) => (n ? context.lineTo(x!, y!) : context.moveTo(x!, y!)))
    context.closePath()
    context.clip()
  }
  const after = (event: RenderEvent) => {
    const context = event.context as WebGLRenderingContext | CanvasRenderingContext2D
    if ('scissor' in context) context.disable(context.SCISSOR_TEST)
    else context.restore()
  }
  layer.on('prerender', before)
  layer.on('postrender', after)
}
