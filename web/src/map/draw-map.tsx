import { useEffect, useRef, useState } from 'preact/hooks'
import Feature from 'ol/Feature.js'
import GeoJSON from 'ol/format/GeoJSON.js'
import { fromExtent } from 'ol/geom/Polygon.js'
import Draw, { createBox } from 'ol/interaction/Draw.js'
import VectorLayer from 'ol/layer/Vector.js'
import OlMap from 'ol/Map.js'
import 'ol/ol.css'
import { transformExtent } from 'ol/proj.js'
import VectorSource from 'ol/source/Vector.js'
import View from 'ol/View.js'
import type { About } from '../types.ts'
import { Choice } from '../ui.tsx'
import { baseLayers } from './base.ts'
import { outline } from './outline.ts'

const VIEW = 'EPSG:3857'
const format = new GeoJSON({ dataProjection: 'EPSG:4326', featureProjection: VIEW })

interface Props {
  readonly basemap: About['basemap']
  readonly bbox: readonly (readonly number[])[]
  readonly polygons: readonly object[]
  readonly onShapes: (bbox: readonly (readonly number[])[], polygons: readonly object[]) => void
}

const shapesOf = (source: VectorSource) => {
  const features = source.getFeatures()
  const boxes = features.filter((one) => one.get('box'))
  const rest = features.filter((one) => !one.get('box'))
  return [
    boxes.map((one) =>
      transformExtent(one.getGeometry()!.getExtent(), VIEW, 'EPSG:4326').map((degrees, n) =>
        // Beside the world that is shown lies another one.
        Number((n % 2 ? degrees : Math.max(-180, Math.min(180, degrees))).toFixed(6)),
      ),
    ),
    rest.map((one) => format.writeGeometryObject(one.getGeometry()!, { decimals: 6 })),
  ] as const
}

/** A map to draw boxes and polygons on. */
const DrawMap = ({ basemap, bbox, polygons, onShapes }: Props) => {
  const place = useRef<HTMLDivElement>(null)
  const [kind, setKind] = useState<'box' | 'polygon'>('box')
  const [source] = useState(() => new VectorSource())
  const [map] = useState(
    () =>
      new OlMap({
        layers: [...baseLayers(basemap, VIEW), new VectorLayer({ source, style: outline })],
        view: new View({ projection: VIEW, center: [0, 2_000_000], zoom: 1.4, maxZoom: 18 }),
      }),
  )
  const told = useRef('')
  // The latest one, which is another at every drawing: a shape that is half drawn must outlast it.
  const tell = useRef(onShapes)
  tell.current = onShapes
  useEffect(() => {
    map.setTarget(place.current!)
    const shown = () => map.getLayers().forEach((layer) => layer.changed())
    addEventListener('themechange', shown)
    return () => {
      removeEventListener('themechange', shown)
      map.setTarget()
    }
  }, [map])
  useEffect(() => {
    const text = JSON.stringify([bbox, polygons])
    if (told.current === text) return
    told.current = text
    source.clear()
    source.addFeatures([
      ...bbox.map((box) => {
        const geometry = fromExtent(transformExtent([...box], 'EPSG:4326', VIEW))
        return new Feature({ geometry, box: true })
      }),
      ...polygons.map((shape) => new Feature(format.readGeometry(shape) ?? undefined)),
    ])
    if (!source.isEmpty())
      map.getView().fit(source.getExtent()!, {
        padding: [40, 40, 40, 40],
        maxZoom: 12,
        size: map.getSize() ?? [600, 300],
      })
  }, [bbox, polygons])
  useEffect(() => {
    const draw = new Draw({
      source,
      ...(kind === 'box'
        ? { type: 'Circle' as const, geometryFunction: createBox() }
        : { type: 'Polygon' as const }),
    })
    draw.on('drawend', ({ feature }) => {
      if (kind === 'box') feature.set('box', true)
      // The source holds the shape only after this event.
      setTimeout(() => {
        const shapes = shapesOf(source)
        told.current = JSON.stringify(shapes)
        tell.current(...shapes)
      })
    })
    map.addInteraction(draw)
    return () => void map.removeInteraction(draw)
  }, [kind, map, source])
  return (
    <>
      <div class="row">
        <Choice
          label="Draw"
          value={kind}
          onChoose={setKind}
          options={[
            ['box', 'Box'],
            ['polygon', 'Polygon'],
          ]}
        />
        <button type="button" class="small" onClick={() => onShapes([], [])}>
          Clear
        </button>
      </div>
      <div
        class="map draw"
        ref={place}
        tabIndex={0}
        role="application"
        aria-label="Map to draw on; edges can be typed below"
      />
    </>
  )
}
export default DrawMap
