import type { Style } from 'ol/layer/WebGLTile.js'
import type { Assets, Inference, Model, PushEntry, StyleEntry } from '../types.ts'

export interface LegendEntry {
  readonly color: string
  readonly label: string
  readonly value: number
  readonly opacity: number
}
/** A layer of the run: the same for every task of it. */
export interface LayerKind {
  readonly key: string
  readonly title: string
  readonly type: 'classes' | 'ramp' | 'rgb' | 'vector' | 'wms'
  readonly entries: readonly LegendEntry[]
  readonly stretch: readonly (readonly [number, number])[]
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

/** Marks that post-processing writes over a prediction, where the model's own style has none. */
const MASKS: readonly LegendEntry[] = [
  { color: '#ffffff', label: 'Cloud', value: 999, opacity: 0.85 },
  { color: '#b9e3f5', label: 'Snow', value: 998, opacity: 0.85 },
  { color: '#7a94b8', label: 'Permanent water', value: 997, opacity: 0.85 },
  { color: '#c9c9c9', label: 'Masked', value: 90, opacity: 0.85 },
]
const withMasks = (entries: LegendEntry[], masked: boolean): LegendEntry[] => {
  const known = new Set(entries.map(({ value }) => value))
  return masked ? [...entries, ...MASKS.filter(({ value }) => !known.has(value))] : entries
}

const ofPush = (push: PushEntry, n: number): LayerKind | undefined => {
  const style = push.geoserver_style
  if (!push.filepath_key || typeof style !== 'object' || style === null) return undefined
  const common = {
    key: push.filepath_key,
    title: push.display_name || push.layer_name || push.filepath_key,
    visible: String(push.visible_by_default ?? 'True').toLowerCase() !== 'false',
    order: Number(push.z_index ?? n),
    stretch: [],
    entries: [],
  }
  if (style.rgb) {
    const stretch = [1, 2, 3].map((channel) => {
      const entry = style.rgb!.find((one) => one.channel === channel) ?? style.rgb![channel - 1]
      return [Number(entry?.minValue ?? 0), Number(entry?.maxValue ?? 3000)] as const
    })
    return { ...common, type: 'rgb', stretch }
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
  stretch: [
    [0, 3000],
    [0, 3000],
    [0, 3000],
  ],
  ...{ visible: true, order: -1 },
}
const OUTLINES = 'model_output_geojson'

/** The layers of a model's runs, lowest first, of which a task has files. */
export const layerKinds = (model: Model | null, assets: Assets): LayerKind[] => {
  const pushed = (model?.geoserver_push ?? []).flatMap((push, n) => ofPush(push, n) ?? [])
  const classes = pushed.find(({ type }) => type === 'classes')
  const more: LayerKind[] = [
    ...(pushed.some(({ type }) => type === 'rgb') ? [] : [SCENE]),
    {
      ...{ key: OUTLINES, title: 'Outlines', type: 'vector', stretch: [] },
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
    ...{ stretch: [], visible: false, order: 2000 + n },
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
    const channels = kind.stretch.map(([min, max], n) => [
      ...['clamp', ['*', 255, ['/', ['-', value(n + 1), min], max - min || 1]], 0, 255],
    ])
    return { color: shown(['color', ...channels, 1]) }
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
    ['<', ['abs', ['-', ['band', 1], entry.value]], 0.5],
    colorOf(entry),
  ])
  return { color: cases.length ? shown(['case', ...cases, none]) : none }
}
