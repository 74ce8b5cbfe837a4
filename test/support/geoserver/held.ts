import type { Geoserver } from './server.ts'

/** What the catalogue and the disk hold of the workspace, to be compared. */
export const held = ({ state }: Geoserver) => {
  const { coveragestores, datastores, styles, layers } = state.workspaces.get('geofm')!
  return {
    coverages: [...coveragestores].map(([name, { type, coverages }]) => [
      name,
      type,
      [...coverages.values()],
    ]),
    features: [...datastores].map(([name, { type, types }]) => [name, type, [...types.values()]]),
    styles: [...styles.values()],
    layers: [...layers],
    granules: [...state.indexes].map(([store, { granules }]) => [
      store,
      granules.map(({ location }) => location),
    ]),
    files: [...state.files].map(([folder, files]) => [folder, [...files.keys()]]),
  }
}
