import { PlanError } from '../errors.ts'
import type { InferenceRequest } from '../request.ts'
import { AreaSearch } from './area-search.ts'
import { areasOf } from './areas.ts'
import type { Catalogue, Found } from './catalogue.ts'
import type { Modality } from './modalities.ts'

/**
 * Tasks for every place, tile and day of a request, in that order, from what catalogues list.
 *
 * The same items give the same tasks, in whatever order a server lists them. A place without data
 * is in `missing`, with the reason and the nearest days; the others go on.
 *
 * @throws PlanError `request.*` for what cannot be planned at all
 */
export const findTasks = async (
  request: InferenceRequest,
  modalities: readonly Modality[],
  catalogue: Catalogue,
): Promise<Found> => {
  const areas = await areasOf(request)
  const timeless = modalities.every(({ row }) => row.search!.timeless)
  if (request.temporal_domain.length === 0 && !timeless)
    throw new PlanError(
      'request.temporal_domain',
      'temporal_domain is empty: a search by place needs a day or a range, YYYY-MM-DD or first_last',
    )
  const search = new AreaSearch(request, modalities, catalogue)
  const found: Awaited<ReturnType<AreaSearch['area']>>[] = []
  for (const area of areas) found.push(await search.area(area))
  const tasks = found.flatMap((part) => part.tasks)
  if (tasks.length > catalogue.most_tasks)
    throw new PlanError(
      'request.too_many_tasks',
      `${tasks.length} tasks, at most ${catalogue.most_tasks}: ask for a smaller place or fewer days`,
    )
  return {
    tasks,
    missing: found.flatMap((part) => part.missing),
    warnings: [...search.warnings].sort(),
  }
}
