import Feature from 'ol/Feature.js'
import LineString from 'ol/geom/LineString.js'
import Point from 'ol/geom/Point.js'
import VectorLayer from 'ol/layer/Vector.js'
import { type Projection, transform, transformExtent } from 'ol/proj.js'
import VectorSource from 'ol/source/Vector.js'
import Fill from 'ol/style/Fill.js'
import Stroke from 'ol/style/Stroke.js'
import Style from 'ol/style/Style.js'
import Text from 'ol/style/Text.js'
import { isDark } from '../theme.ts'

const STEPS = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]
const PARTS = 24
/** Where a line has its label, as a share of what is seen: near the lower and the left edge */
const EDGE = 0.04

const degreesText = (degrees: number, letters: string): string =>
  `${Math.abs(Number(degrees.toFixed(3)))}° ${letters[degrees < 0 ? 1 : 0]}`

const multiples = (from: number, to: number, step: number): number[] => {
  const first = Math.ceil(from / step)
  const count = Math.max(0, Math.min(60, Math.floor(to / step) - first + 1))
  return Array.from({ length: count }, (_, n) => (first + n) * step)
}

/** Meridians and parallels in an extent of a projection: six or so each way. */
const linesOf = (extent: number[], projection: Projection): Feature[] => {
  const [west, south, east, north] = transformExtent(extent, projection, 'EPSG:4326', 8) as [
    number,
    number,
    number,
    number,
  ]
  const box = [Math.max(-180, west), Math.max(-85, south), Math.min(180, east), Math.min(85, north)]
  const [w, s, e, n] = box as [number, number, number, number]
  const step = STEPS.find((one) => Math.max(e - w, n - s) / one >= 5) ?? STEPS.at(-1)!
  const at = (lon: number, lat: number) => transform([lon, lat], 'EPSG:4326', projection)
  const line = (point: (share: number) => number[]) =>
    new Feature(new LineString(Array.from({ length: PARTS + 1 }, (_, k) => point(k / PARTS))))
  const [x0, y0, x1, y1] = extent as [number, number, number, number]
  /** The point of a line, given by its ends, at a place along an axis of the map. */
  const crossing = (ends: number[][], axis: 0 | 1, place: number): number[] => {
    const [from, to] = ends as [number[], number[]]
    const share = (place - from[axis]!) / (to[axis]! - from[axis]! || 1)
    return from.map((value, n) => value + (to[n]! - value) * Math.max(0, Math.min(1, share)))
  }
  const label = (place: number[], text: string, side: string) =>
    new Feature({ geometry: new Point(place), label: text, side })
  return [
    ...multiples(w, e, step).flatMap((lon) => [
      line((share) => at(lon, s + (n - s) * share)),
      label(
        crossing([at(lon, s), at(lon, n)], 1, y0 + (y1 - y0) * EDGE),
        degreesText(lon, 'EW'),
        'center',
      ),
    ]),
    ...multiples(s, n, step).flatMap((lat) => [
      line((share) => at(w + (e - w) * share, lat)),
      label(
        crossing([at(w, lat), at(e, lat)], 0, x0 + (x1 - x0) * (EDGE / 4)),
        degreesText(lat, 'NS'),
        'left',
      ),
    ]),
  ]
}

/** Lines of equal longitude and latitude, made anew for what is seen. */
export const graticule = (projection: Projection): VectorLayer => {
  let last: number[] | undefined
  const source = new VectorSource({
    strategy: (extent) => {
      // What is seen has finer lines than the larger extent that was seen before.
      if (last && last.join() !== extent.join()) source.removeLoadedExtent(last)
      last = extent
      return [extent]
    },
    loader: (extent) => {
      source.clear()
      source.addFeatures(linesOf(extent, projection))
    },
  })
  const colours = () =>
    isDark() ? ['#ffffff2b', '#9fb0b8', '#10161a'] : ['#0000002b', '#57636a', '#fff']
  return new VectorLayer({
    source,
    declutter: true,
    // Labels are placed by what is seen, not by more.
    renderBuffer: 1,
    updateWhileInteracting: false,
    style: (feature) => {
      const [line, text, halo] = colours() as [string, string, string]
      return new Style({
        stroke: new Stroke({ color: line, width: 1 }),
        text: new Text({
          text: (feature.get('label') as string | undefined) ?? '',
          font: '11px system-ui, sans-serif',
          textAlign: (feature.get('side') as CanvasTextAlign | undefined) ?? 'center',
          textBaseline: 'bottom',
          fill: new Fill({ color: text }),
          stroke: new Stroke({ color: halo, width: 2 }),
        }),
      })
    },
  })
}
