import { z } from 'zod'
import { defineContract } from '../contract.ts'
import type { PlanRequest } from '../plan-context.ts'
import { readPostProcessing } from '../post-processing.ts'

const url = z.url({ protocol: /^https?$/ }).max(8000)

/** What of the masks asked for lies at a URL: the user's own polygons, and the operator's data. */
const wantedOf = ({ post_processing, options }: PlanRequest) => {
  const { mask_from_url, ocean_masking, permanent_water_masking } =
    readPostProcessing(post_processing)
  const { landPolygons, permanentWater } = options.masks ?? {}
  return {
    mask_url: mask_from_url?.url ?? null,
    land_url: (ocean_masking && landPolygons) || null,
    water_url: (permanent_water_masking && permanentWater) || null,
  }
}

/** Fetches what masks are made from. */
export const contract = defineContract({
  name: 'mask-sources',
  stage: 'model',
  message: 'Fetching masks ..',
  online: () => true,
  wanted: (request) => Object.values(wantedOf(request)).some((value) => value !== null),
  plan: (context) => ({
    ...wantedOf(context),
    allow_private_hosts: context.options.allowPrivateHosts ?? false,
  }),
  consumes: ['original_input_image'],
  produces: ['mask_polygons', 'land_polygons', 'permanent_water_image'],
  parameters: z.strictObject({
    mask_url: url.nullable().describe("The user's polygons: GeoJSON, GeoPackage, zipped Shapefile"),
    land_url: url.nullable().describe("The operator's polygons of land"),
    water_url: url.nullable().describe("The operator's raster or STAC collection of water"),
    max_bytes: z.number().int().positive().default(1_000_000_000),
    allow_private_hosts: z.boolean().default(false).describe('Only for tests and closed networks'),
  }),
})
