import proj4 from 'proj4'

export type Point = readonly [number, number]
/** [west, south, east, north], degrees, EPSG:4326; west > east where it crosses 180 degrees. */
export type Box = readonly [number, number, number, number]

/** The east edge as a longitude above the west edge: over 180 where the box crosses it. */
export const eastOf = ([west, , east]: Box): number => (west > east ? east + 360 : east)

const wrapped = (lon: number): number =>
  lon >= -180 && lon <= 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180

export const centreOf = (box: Box): Point => [
  wrapped((box[0] + eastOf(box)) / 2),
  (box[1] + box[3]) / 2,
]

/** A longitude interval as a box: longitudes beyond 180 come back on the other side. */
export const boxOf = (west: number, south: number, east: number, north: number): Box => [
  wrapped(west),
  south,
  east === -180 ? 180 : wrapped(east),
  north,
]

/** UTM zone of a point; polar stereographic (UPS) beyond 84 N and 80 S. */
export const utmOf = ([lon, lat]: Point): number => {
  if (lat > 84) return 32661
  if (lat < -80) return 32761
  const zone = Math.min(60, Math.floor((wrapped(lon) + 180) / 6) + 1)
  return (lat < 0 ? 32700 : 32600) + zone
}

/** Whether a CRS is polar stereographic: its grids may have the pole, and every longitude, inside. */
export const isPolar = (epsg: number): boolean => epsg === 32661 || epsg === 32761

/** Farther from a zone's middle than any scene of it lies, degrees; its grid would be no map there. */
const ZONE_REACH = 12

/**
 * The CRS that an item names, as a place may be gridded in it; undefined where that cannot be right.
 *
 * A southern zone far in the north is the northern one misspelt.
 */
export const plausibleCrs = (epsg: number, [lon, lat]: Point): number | undefined => {
  if (!isKnownCrs(epsg)) return undefined
  const north = Math.floor(epsg / 100) === 326
  if (epsg === 3857) return epsg
  if (isPolar(epsg)) return lat > 60 === north && Math.abs(lat) > 60 ? epsg : undefined
  if (Math.abs(wrapped((epsg % 100) * 6 - 183 - lon)) > ZONE_REACH) return undefined
  return !north && lat > 1 ? epsg - 100 : epsg
}

const definitionOf = (epsg: number): string | undefined => {
  const zone = epsg % 100
  if (isPolar(epsg))
    return `+proj=stere +lat_0=${epsg === 32661 ? 90 : -90} +lon_0=0 +k=0.994 +x_0=2000000 +y_0=2000000 +datum=WGS84 +units=m`
  if ([326, 327].includes(Math.floor(epsg / 100)) && zone >= 1 && zone <= 60)
    return `+proj=utm +zone=${zone} ${epsg > 32700 ? '+south ' : ''}+datum=WGS84 +units=m`
  if (epsg === 3857) return 'EPSG:3857'
  return undefined
}

/** Whether grids may be laid in this CRS: WGS 84 UTM, UPS and Web Mercator, metres. */
export const isKnownCrs = (epsg: number): boolean => definitionOf(epsg) !== undefined

/** Degrees to metres. @throws RangeError for a CRS that no grid is laid in */
export const projection = (epsg: number): proj4.Converter => {
  const definition = definitionOf(epsg)
  if (!definition) throw new RangeError(`EPSG:${epsg} is not UTM, UPS or Web Mercator`)
  return proj4('EPSG:4326', definition)
}
