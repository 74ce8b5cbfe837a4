import {
  type Answer,
  type Ask,
  created,
  empty,
  isTrue,
  list,
  parseBody,
  parseXml,
  shown,
  text,
} from './http.ts'
import type { State, Style } from './state.ts'

const SLD = /^application\/vnd\.ogc\.s(ld|e)\+xml/

const isSld = (sld: string): boolean => {
  try {
    return parseXml(sld).StyledLayerDescriptor !== undefined
  } catch {
    return false
  }
}

/** `/styles...` and `/workspaces/{w}/styles...`. */
export const styles = (state: State, ask: Ask): Answer => {
  const own = ask.path[0] === 'workspaces'
  const [workspace, name] = own ? [ask.path[1]!, ask.path[3]] : [undefined, ask.path[1]]
  const held = workspace === undefined ? state.styles : state.workspaces.get(workspace)?.styles
  if (!held) return text(404, `No such workspace: '${workspace}' found`)
  if (name === undefined) {
    if (ask.method === 'POST') return make(held, ask)
    return shown(
      ask,
      list(
        'styles',
        'style',
        [...held.keys()].map((key) => ({ name: key })),
      ),
    )
  }
  const found = held.get(name)
  if (ask.method === 'PUT') return put(found, ask)
  if (!found) return text(404, `No such style: ${name}`)
  if (ask.method === 'DELETE') return remove(state, held, ask, found)
  if (ask.suffix === 'sld' || SLD.test(ask.accept))
    return { status: 200, type: 'application/vnd.ogc.sld+xml', text: found.sld ?? '' }
  const { filename } = found
  return shown(ask, {
    style: { name, format: 'sld', languageVersion: { version: '1.0.0' }, filename },
  })
}

const make = (held: Map<string, Style>, ask: Ask): Answer => {
  const given = SLD.test(ask.type)
    ? { name: ask.query.get('name') ?? '', filename: `${ask.query.get('name')}.sld` }
    : parseBody(ask).style
  const name = String(given?.name ?? '')
  if (held.has(name)) return text(SLD.test(ask.type) ? 403 : 500, `Style ${name} already exists.`)
  if (SLD.test(ask.type) && !isSld(ask.body.toString())) return text(500, 'Error parsing the style')
  const sld = SLD.test(ask.type) ? ask.body.toString() : null
  held.set(name, { name, filename: given.filename, sld, type: ask.type })
  return created(name, `http://elsewhere.invalid/geoserver/rest/styles/${name}`)
}

const put = (found: Style | undefined, ask: Ask): Answer => {
  if (!SLD.test(ask.type)) return found ? empty(200) : text(404, 'No such style')
  if (!found) return text(500, 'java.lang.NullPointerException')
  const sld = ask.body.toString()
  if (!isTrue(ask, 'raw') && !isSld(sld)) return text(400, 'Invalid style:the document has no root')
  found.sld = sld
  found.type = ask.type
  return empty(200)
}

const remove = (state: State, held: Map<string, Style>, ask: Ask, { name }: Style): Answer => {
  const used = [...state.workspaces.values()].flatMap(({ layers }) =>
    [...layers.values()].filter(({ defaultStyle }) => defaultStyle.name === name),
  )
  if (used.length && !isTrue(ask, 'recurse'))
    return text(403, `Can't delete style referenced by existing layers.`)
  for (const layer of used) layer.defaultStyle = { name: 'raster' }
  held.delete(name)
  return empty(200)
}

/** `/layers...`, `/workspaces/{w}/layers...`. */
export const layers = (state: State, ask: Ask): Answer => {
  const own = ask.path[0] === 'workspaces'
  const whole = own ? `${ask.path[1]}:${ask.path[3] ?? ''}` : ask.path[1]
  if (whole === undefined || whole.endsWith(':')) {
    const names = [...state.workspaces.values()].flatMap(({ name, layers: held }) =>
      [...held.keys()].map((key) => ({ name: `${name}:${key}` })),
    )
    return shown(ask, list('layers', 'layer', names))
  }
  const [workspace, name] = whole.split(':') as [string, string?]
  const found = state.workspaces.get(workspace)?.layers.get(name ?? '')
  if (!found) return text(ask.method === 'PUT' ? 500 : 404, `No such layer: ${whole}`)
  if (ask.method === 'DELETE') {
    state.workspaces.get(workspace)!.layers.delete(name!)
    return empty(200)
  }
  if (ask.method === 'GET')
    return shown(ask, { layer: { name, type: 'RASTER', defaultStyle: found.defaultStyle } })
  const wanted = parseBody(ask).layer?.defaultStyle ?? {}
  // Without its workspace a global style is meant.
  const styles = wanted.workspace ? state.workspaces.get(wanted.workspace)?.styles : state.styles
  if (!styles?.has(wanted.name)) return text(500, `style ${wanted.name} is not there`)
  found.defaultStyle = {
    name: wanted.name,
    ...(wanted.workspace ? { workspace: wanted.workspace } : {}),
  }
  return empty(200)
}

/** GeoWebCache's part: types are compared as whole strings. */
export const cache = (state: State, ask: Ask): Answer => {
  if (ask.path[0] !== 'masstruncate')
    return ask.path[0] === 'reload' ? empty(200) : text(404, 'Unknown layer')
  if (!['text/xml', ''].includes(ask.type)) return text(400, `Format unknown: ${ask.type}`)
  const layer = String(parseXml(ask.body).truncateLayer?.layerName ?? '')
  const [workspace, name] = layer.split(':') as [string, string?]
  if (!state.workspaces.get(workspace)?.layers.has(name ?? ''))
    return text(400, `Could not find layer ${layer}`)
  state.truncated.push(layer)
  return empty(200)
}
