import { HttpError } from './errors.ts'

/** What a body may hold, looked at before it is parsed: a small text can be a large tree. */
export interface BodyLimits {
  /** Of the whole text */
  readonly bytes: number
  /** Values and names, in the whole document */
  readonly nodes: number
  /** Of the text of one top-level field; of those without a number of their own, together */
  readonly fields?: Readonly<Record<string, number>>
  readonly others?: number
}
const KIB = 1024
export const SMALL: BodyLimits = { bytes: 64 * KIB, nodes: 5000 }
/** Of what holds specs, styles or layers */
export const MIDDLE: BodyLimits = { bytes: 512 * KIB, nodes: 20_000 }

/** Deeper than any request has reason to be, and far from where recursion ends. */
export const DEEPEST = 64
/** Of top-level fields, whatever they hold. */
const MOST_FIELDS = 200
const LONGEST_STRING = 512 * KIB

const size = (bytes: number): string =>
  bytes >= KIB * KIB
    ? `${+(bytes / KIB / KIB).toFixed(1)} MiB`
    : bytes >= KIB
      ? `${+(bytes / KIB).toFixed(1)} KiB`
      : `${bytes} bytes`

const refuse = (type: string, msg: string, ...loc: (string | number)[]): never => {
  throw new HttpError(422, [{ type, loc, msg }])
}

/** The index after a string's closing quote, or where it has become too long; else the text's end. */
const afterString = (text: string, from: number): number => {
  const stop = /["\\]/g
  stop.lastIndex = from
  for (let match = stop.exec(text); match; match = stop.exec(text)) {
    if (match[0] === '"' || stop.lastIndex - from > LONGEST_STRING) return stop.lastIndex
    stop.lastIndex += 1
  }
  return text.length
}

/** Follows a text from one structural character to the next. */
class Scan {
  private depth = 0
  private nodes = 0
  private fields = 0
  private others = 0
  private name = ''
  private began = 0
  private lastString: [number, number] = [0, 0]
  /** Names of each object that is open; null for a list */
  private readonly names: (Set<string> | null)[] = []
  private readonly text: string
  private readonly place: string
  private readonly limits: BodyLimits

  constructor(text: string, place: string, limits: BodyLimits) {
    this.text = text
    this.place = place
    this.limits = limits
  }

  run(): void {
    const structure = /["{}[\],:]/g
    for (let match = structure.exec(this.text); match; match = structure.exec(this.text)) {
      const [mark] = match
      if (mark === '"') {
        const end = afterString(this.text, structure.lastIndex)
        this.lastString = [match.index + 1, Math.max(match.index + 1, end - 1)]
        structure.lastIndex = end
        this.checkString(end - match.index)
      }
      this.checkField(structure.lastIndex)
      if (mark !== '"') this.step(mark, match.index)
      if (this.depth < 0) return // no JSON: the parser says where
    }
  }

  private step(mark: string, index: number): void {
    if (mark === ':') {
      this.node()
      this.once()
      if (this.depth === 1) this.open(index + 1)
    }
    // A name stands right before its colon; elsewhere it is no JSON, and the parser says so.
    this.lastString = [0, 0]
    if (mark === '{' || mark === '[') {
      this.depth += 1
      this.names.push(mark === '{' ? new Set() : null)
      this.node()
      if (this.depth > DEEPEST) this.tooDeep()
    } else if (mark === '}' || mark === ']') {
      if (this.depth === 1) this.close(index)
      this.depth -= 1
      this.names.pop()
    } else if (mark === ',') {
      this.node()
      if (this.depth === 1) this.close(index)
    }
  }

  /** Of two values under one name a reader would take the last, another the first. */
  private once(): void {
    const names = this.names.at(-1)
    if (this.lastString[1] === 0) return
    const name = this.text.slice(...this.lastString)
    if (names?.has(name))
      refuse(
        'json_duplicate',
        `the name ${name.slice(0, 100)} stands twice in one object: leave one of them out`,
        this.place,
        ...(this.depth > 1 ? this.where() : []),
        name.slice(0, 100),
      )
    names?.add(name)
  }

  private tooDeep(): never {
    return refuse(
      'recursion_loop',
      `Input should be at most ${DEEPEST} levels deep`,
      this.place,
      ...this.where(),
    )
  }

  private where(): string[] {
    return this.name ? [this.name.slice(0, 100)] : []
  }

  private node(): void {
    if (++this.nodes <= this.limits.nodes) return
    refuse(
      'request.too_many_values',
      `the body holds more than ${this.limits.nodes} values: leave out what is not needed, or send it as several requests`,
      this.place,
      ...this.where(),
    )
  }

  private open(index: number): void {
    this.name = this.text.slice(...this.lastString).slice(0, 200)
    this.began = index
    if (++this.fields > MOST_FIELDS)
      refuse('request.too_many_values', `the body has more than ${MOST_FIELDS} fields`, this.place)
  }

  private checkString(length: number): void {
    if (length > LONGEST_STRING)
      refuse(
        'request.too_large',
        `a text may have ${size(LONGEST_STRING)}: share files through /v2/file-share`,
        this.place,
        ...this.where(),
      )
  }

  private own(): number | undefined {
    const { fields = {} } = this.limits
    return Object.hasOwn(fields, this.name) ? fields[this.name] : undefined
  }

  /** Looked at while the field is read, so that the rest of a text is not. */
  private checkField(index: number): void {
    if (!this.name || this.limits.others === undefined) return
    const bytes = index - this.began
    const own = this.own()
    if (own === undefined ? this.others + bytes <= this.limits.others : bytes <= own) return
    const most =
      own === undefined
        ? `the fields that are not named in the API's document may hold ${size(this.limits.others)} together`
        : `${this.name} may hold ${size(own)}`
    refuse('request.too_large', `${most}: send less`, this.place, ...this.where())
  }

  private close(index: number): void {
    if (this.name && this.own() === undefined) this.others += index - this.began
    this.name = ''
  }
}

/**
 * Bounds a JSON text before it is parsed: its size, the size of its fields, its values, its depth.
 *
 * @throws HttpError 413 `request.too_large` for the whole; 422 that names the field: `request.too_large`,
 * `request.too_many_values`, `recursion_loop`, `json_duplicate`
 */
export const checkBody = (text: string, place: string, limits: BodyLimits = SMALL): void => {
  if (text.length > limits.bytes)
    throw new HttpError(413, [
      {
        type: 'request.too_large',
        loc: [place],
        msg: `The body is larger than ${size(limits.bytes)}: send less, or share files through /v2/file-share.`,
      },
    ])
  new Scan(text, place, limits).run()
}
