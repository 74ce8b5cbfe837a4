import { execFileSync } from 'node:child_process'

/** Colour and opacity of pixels of a PNG, as Python's Pillow-free decoder of the standard library sees them. */
const PIXELS = `
import sys, zlib, struct, json
data = open(sys.argv[1], "rb").read()
at, idat, head = 8, b"", None
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + size]
    if kind == b"IHDR": head = struct.unpack(">IIBBBBB", body)
    if kind == b"IDAT": idat += body
    at += size + 12
width, height, depth, color = head[:4]
assert (depth, color) == (8, 6), head
raw, rows, last = zlib.decompress(idat), [], bytearray(width * 4)
def paeth(a, b, c):
    p = a + b - c
    d = [abs(p - a), abs(p - b), abs(p - c)]
    return (a, b, c)[d.index(min(d))]
for row in range(height):
    start = row * (width * 4 + 1)
    how, line = raw[start], bytearray(raw[start + 1:start + 1 + width * 4])
    for i in range(len(line)):
        a = line[i - 4] if i >= 4 else 0
        c = last[i - 4] if i >= 4 else 0
        line[i] = (line[i] + (0, a, last[i], (a + last[i]) // 2, paeth(a, last[i], c))[how]) % 256
    rows.append(line); last = line
print(json.dumps([list(rows[int(y)][int(x) * 4:int(x) * 4 + 4]) for x, y in (p.split(",") for p in sys.argv[2:])]))
`
/** `[red, green, blue, opacity]` of each place `column,row` of a PNG of 8-bit RGBA. */
export const pixels = async (path: string, ...at: string[]): Promise<number[][]> =>
  JSON.parse(execFileSync('python3', ['-c', PIXELS, path, ...at]).toString())
