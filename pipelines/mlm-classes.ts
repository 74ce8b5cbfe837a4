import { z } from 'zod'

/** Of classes without a colour of their own, in turn; the first class is drawn as nothing. */
const PALETTE = ['#4589FF', '#FA4D56', '#24A148', '#F1C21B', '#A56EFF', '#009D9A']

const one = z.looseObject({
  value: z.number().int(),
  name: z.string().nullish(),
  title: z.string().nullish(),
  color_hint: z.union([z.string(), z.array(z.number().int().min(0).max(255)).length(3)]).nullish(),
})
/** `classification_classes` is how the extension's own examples have it. */
const output = z.looseObject({
  'classification:classes': z.array(one).nullish(),
  classification_classes: z.array(one).nullish(),
})
/** What other registries write of an output is theirs: where it is no list of classes, there are none. */
export const outputs = z.array(output).nullish().catch(undefined)

const colorOf = (hint: z.output<typeof one>['color_hint'], value: number): string => {
  if (Array.isArray(hint)) return `#${Buffer.from(hint).toString('hex').toUpperCase()}`
  if (hint && /^#?[0-9a-f]{6}$/i.test(hint)) return `#${hint.replace('#', '').toUpperCase()}`
  return value === 0 ? '#808080' : PALETTE[(((value - 1) % 6) + 6) % 6]!
}

/** The layer of a segmentation: its classes in their colours; none where the Item names no class. */
export const layersOf = (given: z.output<typeof outputs>, display_name: string): object[] => {
  const classes = given?.[0]?.['classification:classes'] ?? given?.[0]?.classification_classes
  if (!classes?.length) return []
  const segmentation = classes.map(({ value, name, title, color_hint }) => ({
    ...{ color: colorOf(color_hint, value), opacity: value === 0 && !color_hint ? 0 : 1 },
    ...{ quantity: value, label: title || name || `Class ${value}` },
  }))
  return [
    {
      ...{ workspace: 'geofm', layer_name: 'pred', display_name, file_suffix: '' },
      ...{ filepath_key: 'model_output_image', z_index: 1, visible_by_default: 'True' },
      geoserver_style: { segmentation },
    },
  ]
}
