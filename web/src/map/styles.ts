import type { Style } from 'ol/layer/WebGLTile.js'
import type { Assets, Inference, Model, PushEntry, StyleEntry } from '../types.ts'
import type { Statistics } from './statistics.ts'

export interface LegendEntry {
  readonly color: string
  readonly label: string
  readonly value: number
  readonly opacity: number
}
/** A band of the file, from 1, and the values between which it is stretched. */
interface Channel {
  readonly band: number
  readonly min: number
  readonly max: number
}
/** A layer of the run: the same for every task of it. */
export interface LayerKind {
  readonly key: string
  readonly title: string
  readonly type: 'classes' | 'ramp' | 'rgb' | 'vector' | 'wms'
  readonly entries: readonly LegendEntry[]
  /** Of a picture red, green and blue; of values their band */
  readonly channels: readonly Channel[]
  readonly visible: boolean
  readonly order: number
}
type Expression = any

/** `#rrggbb` or `#rgb`; grey for what is none. */
const rgbOf = (color: string): [number, number, number] => {
  const hex = /^#([0-9a-f]{6})$/i.exec(color)?.[1]
  const short = /^#([0-9a-f]{3})$/i.exec(color)?.[1]
  const text = hex ?? (short ? [...short].map((c) => c + c).join('') : '808080')
  return [0, 2, 4].map((at) => parseInt(text.slice(at, at + 2), 16)) as [number, number, number]
}
const colorOf = ({ color, opacity }: LegendEntry): Expression => ['color', ...rgbOf(color), opacity]

const legendOf = (entries: readonly StyleEntry[]): LegendEntry[] =>
  entries.map((entry, n) => ({
    color: entry.color ?? '#808080',
    label: entry.label ?? `Class ${n}`,
    value: Number(entry.quantity ?? 0),
    opacity: Number(entry.opacity ?? 0),
  }))

/**
 * Marks that post-processing writes over a prediction, where the model's own style has none; named
 * and coloured as in the task's colour table and picture.
 */
const MASKS: readonly LegendEntry[] = [
  { color: '#ffffff', label: 'Cloud or shadow', value: 999, opacity: 0.85 },
  { color: '#bae6ff', label: 'Snow or ice', value: 998, opacity: 0.85 },
  { color: '#114ca0', label: 'Permanent water', value: 997, opacity: 0.85 },
  { color: '#6f6f6f', label: 'Masked by URL', value: 90, opacity: 0.85 },
]
const withMasks = (entries: LegendEntry[], masked: boolean): LegendEntry[] => {
  const known = new Set(entries.map(({ value }) => value))
  return masked ? [...entries, ...MASKS.filter(({ value }) => !known.has(value))] : entries
}

/** What has values, not colours: the first band. */
const VALUES: Channel = { band: 1, min: 0, max: 1 }

const ofPush = (push: PushEntry, n: number): LayerKind | undefined => {
  const style = push.geoserver_style
  if (!push.filepath_key || typeof style !== 'object' || style === null) return undefined
  const common = {
    key: push.filepath_key,
    title: push.display_name || push.layer_name || push.filepath_key,
    visible: String(push.visible_by_default ?? 'True').toLowerCase() !== 'false',
    order: Number(push.z_index ?? n),
    channels: [{ ...VALUES, band: Number(style.channel ?? 1) }],
    entries: [],
  }
  if (style.rgb) {
    const channels = ['RedChannel', 'GreenChannel', 'BlueChannel'].map((label, n) => {
      // Which colour an entry is its label says, as GeoServer reads it; its channel is the file's band.
      const entry = style.rgb!.find((one) => one.label === label) ?? style.rgb![n]
      const { channel = n + 1, minValue = 0, maxValue = 255 } = entry ?? {}
      return { band: Number(channel), min: Number(minValue), max: Number(maxValue) }
    })
    return { ...common, type: 'rgb', channels }
  }
  if (style.regression) {
    const entries = legendOf(style.regression).sort((a, b) => a.value - b.value)
    return { ...common, type: 'ramp', entries }
  }
  if (style.segmentation)
    return {
      ...{ ...common, type: 'classes' },
      entries: withMasks(legendOf(style.segmentation), /mask/.test(push.filepath_key)),
    }
  return undefined
}

/** Red, green and blue of the scene, and what stands in it where a band has no value. */
export const SCENE_KEY = 'model_input_original_image_rgb'
export const SCENE_NODATA = -9999
const SCENE: LayerKind = {
  ...{ key: SCENE_KEY, title: 'Scene', type: 'rgb', entries: [] },
  channels: [1, 2, 3].map((band) => ({ band, min: 0, max: 3000 })),
  ...{ visible: true, order: -1 },
}
/** Colours of classes that the model gives none: those of the task's colour table and picture. */
const PALETTE = ['#4589ff', '#fa4d56', '#24a148', '#f1c21b', '#a56eff', '#009d9a']
/** Dark to light, told apart by who sees no red or no green too (viridis, matplotlib). */
const VIRIDIS = ['#440154', '#3b528b', '#21918c', '#5ec962', '#fde725']

const unstyledEntries = ({ areas, range }: Statistics): LegendEntry[] => {
  if (range) {
    const [low, high] = range
    const at = (n: number) => low + ((high - low) * n) / (VIRIDIS.length - 1)
    return VIRIDIS.map((color, n) => ({ color, label: '', value: at(n), opacity: 1 }))
  }
  return areas.map(({ value, label }) => ({
    ...{ value, label, opacity: value > 0 ? 1 : 0 },
    color: value > 0 ? PALETTE[(value - 1) % PALETTE.length]! : '#808080',
  }))
}

/** The prediction of a model that names no style for it: nobody has to write one to see a result. */
const unstyled = (model: Model | null, assets: Assets, statistics: Statistics): LayerKind[] => {
  const [masked, plain] = ['model_output_image_masked', 'model_output_image']
  const key = masked in assets ? masked : plain
  const push = model?.geoserver_push?.find(({ filepath_key }) => filepath_key === key)
  const entries = unstyledEntries(statistics)
  const type = statistics.range ? 'ramp' : 'classes'
  const masks = new Set(MASKS.map(({ value }) => value))
  const classes = entries.filter(({ value }) => !masks.has(value))
  return [
    {
      ...{ key, type, channels: [VALUES], visible: true, order: 0 },
      title: push?.display_name || 'Prediction',
      entries: type === 'ramp' ? entries : withMasks(classes, key === masked),
    },
  ]
}
const OUTLINES = 'model_output_geojson'

/** The layers of a model's runs, lowest first, of which a task has files. */
export const layerKinds = (
  model: Model | null,
  assets: Assets,
  statistics: Statistics,
): LayerKind[] => {
  const styled = (model?.geoserver_push ?? []).flatMap((push, n) => ofPush(push, n) ?? [])
  const predicted = styled.some(({ key }) => key.startsWith('model_output_') && key in assets)
  const pushed = predicted ? styled : [...styled, ...unstyled(model, assets, statistics)]
  const classes = pushed.find(({ type }) => type === 'classes')
  const more: LayerKind[] = [
    ...(pushed.some(({ type }) => type === 'rgb') ? [] : [SCENE]),
    {
      ...{ key: OUTLINES, title: 'Outlines', type: 'vector', channels: [] },
      entries: classes?.entries ?? [],
      ...{ visible: false, order: 1000 },
    },
  ]
  const kinds = [...pushed, ...more].filter(({ key }) => key in assets)
  const byKey = new Map(kinds.map((kind) => [kind.key, kind]))
  return [...byKey.values()].sort((a, b) => a.order - b.order)
}

/** What GeoServer shows of a run, hidden until it is asked for. */
export const wmsKinds = (run: Inference): LayerKind[] =>
  (run.geoserver_layers?.predicted_layers ?? []).map(({ uri, display_name }, n) => ({
    ...{ key: uri, title: `${display_name ?? uri} (GeoServer)`, type: 'wms', entries: [] },
    ...{ channels: [], visible: false, order: 2000 + n },
  }))

/**
 * A style for OpenLayers; `alpha` is the number of the band that holds 0 where there is no data, else 255.
 *
 * A value between a pixel and one without data is the pixel's own, which the 0 there has made as much
 * smaller as the alpha band says; it is drawn as far as the pixel reaches.
 */
export const webglStyle = (kind: LayerKind, alpha: number | undefined): Style => {
  const none: Expression = ['color', 0, 0, 0, 0]
  const shown = (color: Expression): Expression =>
    alpha === undefined ? color : ['case', ['>=', ['band', alpha], 127.5], color, none]
  const value = (band: number): Expression =>
    alpha === undefined ? ['band', band] : ['/', ['*', 255, ['band', band]], ['band', alpha]]
  if (kind.type === 'rgb') {
    // The source has them in this order.
    const colors = kind.channels.map(({ min, max }, n) => [
      ...['clamp', ['*', 255, ['/', ['-', value(n + 1), min], max - min || 1]], 0, 255],
    ])
    return { color: shown(['color', ...colors, 1]) }
  }
  if (kind.type === 'ramp') {
    // The same value twice would be no ramp.
    const stops = kind.entries.filter(({ value }, n, all) => n === 0 || value > all[n - 1]!.value)
    if (stops.length < 2) return { color: stops[0] ? shown(colorOf(stops[0])) : none }
    const ramp = stops.flatMap((entry) => [entry.value, colorOf(entry)])
    return { color: shown(['interpolate', ['linear'], value(1), ...ramp]) }
  }
  // Classes are whole numbers, which a texture of floats may hold a little off.
  const cases = kind.entries.flatMap((entry) => [
    ['<', ['abs', ['-', value(1), entry.value]], 0.5],
    colorOf(entry),
  ])
  return { color: cases.length ? shown(['case', ...cases, none]) : none }
}
