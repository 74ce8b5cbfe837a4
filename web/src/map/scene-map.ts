import { extend, createEmpty, isEmpty } from 'ol/extent.js'
import type BaseLayer from 'ol/layer/Base.js'
import type Layer from 'ol/layer/Layer.js'
import TileLayer from 'ol/layer/Tile.js'
import WebGLTileLayer from 'ol/layer/WebGLTile.js'
import OlMap from 'ol/Map.js'
import { toLonLat, transformExtent } from 'ol/proj.js'
import TileWMS from 'ol/source/TileWMS.js'
import View from 'ol/View.js'
import type { About, Assets } from '../types.ts'
import { baseLayers } from './base.ts'
import type { LayerKind } from './styles.ts'
import { rasterLayer, swipe, vectorLayer } from './task-layers.ts'

export interface Look {
  readonly visible: boolean
  readonly opacity: number
}
/** What lies under a point: its place, and the value of each layer that is seen there. */
export interface Reading {
  readonly place: string
  readonly values: readonly { readonly title: string; readonly text: string }[]
}

const valueText = (kind: LayerKind, data: ArrayLike<number>): string => {
  const [first, ...rest] = kind.channels.map((_, n) => data[n] ?? NaN)
  if (kind.type === 'rgb') return [first!, ...rest].map(Math.round).join(' ')
  if (kind.type === 'ramp') return String(Number(first!.toPrecision(5)))
  const value = Math.round(first!)
  const label = kind.entries.find((entry) => entry.value === value)?.label
  return label ? `${label} (${value})` : String(value)
}

/** A map of one run, in the CRS of its rasters. */
export class SceneMap {
  readonly map = new OlMap({ layers: [] })
  private layers: { kind: LayerKind; layer: Layer }[] = []
  private base: BaseLayer[] = []
  private share = 0
  private code = ''
  private readonly about: About

  constructor(about: About) {
    this.about = about
  }

  /** Shows the files of the tasks of a day; the view moves only where it has none yet. */
  async show(
    kinds: readonly LayerKind[],
    files: readonly Assets[],
    day: string,
    isStale: () => boolean,
  ): Promise<void> {
    const made = kinds.flatMap((kind) => {
      if (kind.type === 'wms') return [{ kind, layer: this.wms(kind, day) }]
      return files.flatMap((assets) => {
        const href = assets[kind.key]?.href
        if (!href) return []
        const layer = kind.type === 'vector' ? vectorLayer(kind, href) : rasterLayer(kind, href)
        return [{ kind, layer: layer as Layer }]
      })
    })
    const rasters = made.filter(({ layer }) => layer instanceof WebGLTileLayer)
    const views = await Promise.all(
      rasters.map(({ layer }) => (layer as WebGLTileLayer).getSource()!.getView()),
    )
    if (isStale()) return
    if (!this.code && views[0]) this.open(views as any[])
    for (const { layer } of this.layers) this.map.removeLayer(layer)
    this.layers = made
    for (const { kind, layer } of made) {
      if (kind.type !== 'rgb') swipe(layer, this.map, () => this.share)
      this.map.addLayer(layer)
    }
  }

  private wms(kind: LayerKind, day: string): Layer {
    const url = `${this.about.geoserver!.replace(/\/$/, '')}/wms`
    const params = { LAYERS: kind.key, ...(day ? { TIME: day } : {}) }
    return new TileLayer({ source: new TileWMS({ url, params }) })
  }

  private open(views: { projection: any; extent: number[] }[]): void {
    const { projection } = views[0]!
    this.code = projection.getCode()
    const extent = createEmpty()
    for (const view of views) {
      const same = view.projection.getCode() === this.code
      extend(extent, same ? view.extent : transformExtent(view.extent, view.projection, projection))
    }
    this.base = baseLayers(this.about.basemap, this.code)
    for (const layer of this.base) layer.setZIndex(-1000)
    this.base.at(-1)?.setZIndex(1000)
    for (const layer of this.base) this.map.addLayer(layer)
    const view = new View({ projection, maxResolution: 20_000, minResolution: 0.1 })
    this.map.setView(view)
    if (!isEmpty(extent))
      view.fit(extent, { size: this.map.getSize() ?? [600, 400], padding: [24, 24, 24, 24] })
  }

  /** Order is from the lowest to the highest. */
  look(order: readonly string[], looks: Readonly<Record<string, Look>>): void {
    for (const { kind, layer } of this.layers) {
      const look = looks[kind.key]
      layer.setVisible(look?.visible ?? false)
      layer.setOpacity(look?.opacity ?? 1)
      layer.setZIndex(order.indexOf(kind.key))
    }
  }

  /** All but the scene is shown right of this share of the width. */
  swipeTo(share: number): void {
    this.share = share
    this.map.render()
  }

  repaint(): void {
    for (const layer of this.base) layer.changed()
  }

  read(pixel: number[]): Reading | undefined {
    const coordinate = this.map.getCoordinateFromPixel(pixel)
    if (!coordinate) return undefined
    const values = this.layers.flatMap(({ kind, layer }) => {
      if (!(layer instanceof WebGLTileLayer) || !layer.getVisible()) return []
      const data = layer.getData(pixel) as ArrayLike<number> | null
      const alpha = layer.get('alpha') as number | undefined
      if (!data || (alpha !== undefined && !data[alpha - 1])) return []
      return [{ title: kind.title, text: valueText(kind, data) }]
    })
    return { place: this.placeText(coordinate), values }
  }

  private placeText(coordinate: number[]): string {
    const own = coordinate.map((value) => Math.round(value)).join(', ')
    try {
      const [lon, lat] = toLonLat(coordinate, this.map.getView().getProjection()) as [
        number,
        number,
      ]
      return `${lat.toFixed(5)}°, ${lon.toFixed(5)}° · ${this.code} ${own}`
    } catch {
      return `${this.code} ${own}`
    }
  }

  /** What a screenshot is measured by: where which coordinate lies. */
  get state(): Record<string, string> {
    const view = this.map.getView()
    return {
      center: view.getCenter()?.join() ?? '',
      resolution: String(view.getResolution() ?? ''),
      crs: this.code,
    }
  }
}
