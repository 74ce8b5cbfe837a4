/** Items of STAC as catalogues answer them, for tests: a square of UTM 31N, 10 m, 512 x 512. */
export interface ItemDefinition {
  readonly id: string
  readonly collection?: string
  readonly datetime: string
  /** null: the item says nothing */
  readonly cloud?: number | null
  /** Longitude and latitude: west, south, east, north */
  readonly box?: readonly number[]
  readonly properties?: Readonly<Record<string, unknown>>
  /** By asset key; the href of each is its key under `base` where it says none */
  readonly assets?: Readonly<Record<string, object>>
  readonly base?: string
}

/** 500000, 5000000 of EPSG:32631: longitude 3.0 to 3.065, latitude 45.106 to 45.152 */
export const BOX_A = [3.0, 45.1062, 3.0651, 45.1523] as const
/** 4 km to the east */
export const BOX_B = [3.0508, 45.1062, 3.1159, 45.1523] as const

export const polygonOf = ([w, s, e, n]: readonly number[]) => ({
  type: 'Polygon' as const,
  coordinates: [
    [
      [w, s],
      [e, s],
      [e, n],
      [w, n],
      [w, s],
    ],
  ],
})

const BASE = 'https://sentinel-cogs.s3.us-west-2.amazonaws.com/x'

export const stacItem = (definition: ItemDefinition) => {
  const { id, datetime, box = BOX_A, cloud = 5, base = BASE, properties = {} } = definition
  const { collection = 'sentinel-2-l2a', assets = { blue: {}, red: {}, scl: {} } } = definition
  const cover = cloud === null ? {} : { 'eo:cloud_cover': cloud }
  return {
    ...{ type: 'Feature', stac_version: '1.0.0', stac_extensions: [], links: [] },
    ...{ id, collection, geometry: polygonOf(box), bbox: [...box] },
    properties: { datetime, constellation: 'sentinel-2', ...cover, ...properties },
    assets: Object.fromEntries(
      Object.entries(assets).map(([key, more]) => [
        key,
        {
          ...{ href: `${base}/${id}/${key}.tif`, roles: ['data'] },
          ...{ type: 'image/tiff; application=geotiff; profile=cloud-optimized' },
          ...more,
        },
      ]),
    ),
  }
}

/** The three scenes that most cases stand on: two neighbours of a day, and the first again, cloudy. */
export const SCENES = [
  stacItem({ id: 'A', datetime: '2024-06-10T10:50:31.024Z', cloud: 5 }),
  stacItem({ id: 'B', datetime: '2024-06-10T10:50:45.024Z', cloud: 60, box: BOX_B }),
  stacItem({ id: 'C', datetime: '2024-06-15T10:50:31.024Z', cloud: 100 }),
]
