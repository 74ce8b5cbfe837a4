import { type BandDefinition, type CatalogueRow, row } from '../row.ts'

const NAMES =
  'dayOfWeek expirationTimeUtc moonPhase moonPhaseCode moonriseTimeLocal moonriseTimeUtc moonsetTimeLocal moonsetTimeUtc narrative qpf qpfSnow sunriseTimeLocal sunriseTimeUtc temperatureMax validTimeUtc validTimeLocal calendarDayTemperatureMax calendarDayTemperatureMin cloudCover dayOrNight iconCode iconCodeExtend precipType relativeHumidity snowRange temperature temperatureHeatIndex temperatureWindChill thunderCategory thunderIndex uvDescription uvIndex windDirection windDirectionCardinal windPhrase windSpeed wxPhraseLong wxPhraseShort'

const described = (name: string): string =>
  name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/^./, (first) => first.toUpperCase())

/** A forecast a point of 10 km; clients know the name, nothing here fetches it. */
export const weather: readonly CatalogueRow[] = [
  row({
    ...{ id: '24738c68-96d6-4000-899e-c3cb201312fc', connector: 'TheWeatherCompany' },
    ...{ collection_name: 'weathercompany-daily-forecast', resolution_m: 10 },
    modality_tag: 'HLS_L30',
    bands: NAMES.split(' ').map((name): BandDefinition => [name, 10_000, described(name)]),
  }),
]
