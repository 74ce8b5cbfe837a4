/** A message of protobuf by its fields; see onnx.proto3 of onnx 1.16 for the numbers. */
type Field = readonly [number: number, value: number | string | Buffer]

const varint = (value: number): Buffer => {
  const bytes: number[] = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Buffer.from([...bytes, value])
}
const message = (...fields: readonly Field[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'number') return [varint(number * 8), varint(value)]
      const bytes = Buffer.from(value as Buffer)
      return [varint(number * 8 + 2), varint(bytes.length), bytes]
    }),
  )

const FLOAT = 1
/** A tensor of floats by its name; a text is a length that each call may choose. */
const value = (name: string, dims: readonly (number | string)[]): Buffer => {
  const shape = dims.map((dim): Field => [
    1,
    typeof dim === 'number' ? message([1, dim]) : message([2, dim]),
  ])
  const tensor = message([1, FLOAT], [2, message(...shape)])
  return message([1, name], [2, message([1, tensor])])
}

/**
 * An ONNX model (opset 13) of one 1 x 1 convolution: a value of each pixel from its bands.
 *
 * @param weights factor of each band
 */
export const weightedSum = (weights: readonly number[]): Buffer => {
  const raw = Buffer.alloc(weights.length * 4)
  for (const [n, weight] of weights.entries()) raw.writeFloatLE(weight, n * 4)
  const dims = [1, weights.length, 1, 1].map((length): Field => [1, length])
  const graph = message(
    [1, message([1, 'x'], [1, 'w'], [2, 'y'], [4, 'Conv'])],
    [2, 'weighted sum'],
    [5, message(...dims, [2, FLOAT], [8, 'w'], [9, raw])],
    [11, value('x', ['window', weights.length, 'row', 'column'])],
    [12, value('y', ['window', 1, 'row', 'column'])],
  )
  return message([1, 8], [7, graph], [8, message([1, ''], [2, 13])])
}
