import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { root } from './engine.ts'

/** TypeScript of an OpenAPI document, as `openapi-typescript` generates it. */
export const typesOf = async (document: object): Promise<string> =>
  astToString(await openapiTS(structuredClone(document) as never))

/** Writes the generated types and the client beside each other. @returns the client's path */
export const writeClient = (folder: string, types: string, client: string): string => {
  writeFileSync(join(folder, 'geodag.ts'), types)
  const path = join(folder, 'client.ts')
  writeFileSync(path, client)
  return path
}

/** What the compiler has to say of a file. */
export const compile = (path: string): string[] => {
  const program = ts.createProgram([path], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  })
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start, file }) => {
    const line = file && file.getLineAndCharacterOfPosition(start ?? 0).line + 1
    return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

/** Writes a program without its types: Node strips none below node_modules. @returns its new path */
export const withoutTypes = (path: string): string => {
  const plain = path.replace(/\.ts$/, '.mjs')
  const target = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 }
  const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions: target })
  writeFileSync(plain, outputText)
  return plain
}

type Json = Record<string, any>
/**
 * The document with closed answers: a key that their schemas do not name is wrong. For clients they
 * stay open, so that an answer may gain a key.
 */
export const closed = (document: Json): Json => {
  const close = (schema: unknown): unknown => {
    if (Array.isArray(schema)) return schema.map(close)
    if (typeof schema !== 'object' || schema === null) return schema
    const { ...held } = schema as Json
    for (const [key, value] of Object.entries(held)) if (key !== 'example') held[key] = close(value)
    if (held.type === 'object' && held.properties && held.additionalProperties === undefined)
      held.additionalProperties = false
    return held
  }
  const { schemas, ...rest } = document.components
  return { ...document, components: { ...rest, schemas: close(schemas) } }
}
