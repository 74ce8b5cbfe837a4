import { numberText, shareText } from '../format.ts'
import { Swatch } from '../views/models.tsx'
import type { Look } from './scene-map.ts'
import type { ClassArea } from './statistics.ts'
import type { LayerKind, LegendEntry } from './styles.ts'

export interface Layering {
  /** Keys of layers, lowest first */
  readonly order: readonly string[]
  readonly looks: Readonly<Record<string, Look>>
}

/** Three digits that count, for a ramp from 0 to 0.004 as from 0 to 4000. */
const endText = ({ label, value }: LegendEntry): string => {
  const text = value.toLocaleString(undefined, { maximumSignificantDigits: 4 })
  return label ? `${label} (${text})` : text
}

const Ramp = ({ kind }: { kind: LayerKind }) => {
  const { entries } = kind
  const [first, last] = [entries[0], entries.at(-1)]
  if (!first || !last) return null
  const span = last.value - first.value || 1
  const stops = entries.map(
    ({ color, value }) =>
      `${/^#[0-9a-f]{3,8}$/i.test(color) ? color : '#808080'} ${((value - first.value) / span) * 100}%`,
  )
  return (
    <div class="ramp">
      <span
        class="bar"
        style={{ backgroundImage: `linear-gradient(to right, ${stops.join(', ')})` }}
      />
      <span class="ends">
        <span>{endText(first)}</span>
        <span>{endText(last)}</span>
      </span>
    </div>
  )
}

const Classes = ({ kind, areas }: { kind: LayerKind; areas: readonly ClassArea[] }) => {
  const pixels = areas.reduce((sum, one) => sum + one.pixels, 0)
  const known = kind.entries.map((entry) => ({
    entry,
    area: areas.find(({ value }) => value === entry.value),
  }))
  // Marks of masks that stand in no pixel are no part of this legend.
  const shown = areas.length
    ? known.filter(({ entry, area }) => area || entry.value < 90)
    : known.filter(({ entry }) => entry.value < 90)
  return (
    <table class="shares">
      <thead class="unseen">
        <tr>
          <th scope="col">Class</th>
          <th scope="col">Share</th>
          <th scope="col">Area</th>
        </tr>
      </thead>
      <tbody>
        {shown.map(({ entry, area }) => (
          <tr key={entry.value}>
            <th scope="row">
              <Swatch color={entry.opacity > 0 ? entry.color : undefined} /> {entry.label}
            </th>
            <td class="number">
              {area && pixels > 0 ? shareText(area.pixels / pixels) : areas.length ? '0 %' : ''}
            </td>
            <td class="number">
              {area && area.area_km2 !== null ? `${numberText(area.area_km2, 2)} km²` : ''}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Layers from the highest to the lowest: shown or not, how opaque, what their colours mean. */
export const Legend = ({
  kinds,
  areas,
  layering,
  onChange,
}: {
  kinds: readonly LayerKind[]
  areas: readonly ClassArea[]
  layering: Layering
  onChange: (next: Partial<Layering>) => void
}) => {
  const { order, looks } = layering
  const set = (key: string, next: Partial<Look>) =>
    onChange({ looks: { ...looks, [key]: { ...looks[key]!, ...next } } })
  const move = (key: string, by: number) => {
    const from = order.indexOf(key)
    const next = [...order]
    next.splice(from, 1)
    next.splice(from + by, 0, key)
    onChange({ order: next })
  }
  const shown = [...order].reverse().flatMap((key) => kinds.find((kind) => kind.key === key) ?? [])
  return (
    <section class="legend" aria-label="Layers">
      <h2>Layers</h2>
      <ul class="plain">
        {shown.map((kind, n) => {
          const look = looks[kind.key]!
          return (
            <li key={kind.key} class="layer">
              <div class="line">
                <label class="name">
                  <input
                    type="checkbox"
                    checked={look.visible}
                    onChange={(event) => set(kind.key, { visible: event.currentTarget.checked })}
                  />
                  {kind.title}
                </label>
                <input
                  type="range"
                  min={0}
                  max={100}
                  value={Math.round(look.opacity * 100)}
                  aria-label={`Opacity of ${kind.title}`}
                  onInput={(event) =>
                    set(kind.key, { opacity: Number(event.currentTarget.value) / 100 })
                  }
                />
                <button
                  class="small"
                  disabled={n === 0}
                  aria-label={`${kind.title}: up`}
                  onClick={() => move(kind.key, 1)}
                >
                  ↑
                </button>
                <button
                  class="small"
                  disabled={n === shown.length - 1}
                  aria-label={`${kind.title}: down`}
                  onClick={() => move(kind.key, -1)}
                >
                  ↓
                </button>
              </div>
              {look.visible && kind.type === 'classes' && <Classes kind={kind} areas={areas} />}
              {look.visible && kind.type === 'ramp' && <Ramp kind={kind} />}
            </li>
          )
        })}
      </ul>
    </section>
  )
}
