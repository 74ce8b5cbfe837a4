import { useRef, useState } from 'preact/hooks'
import { get, put } from '../api.ts'
import { bytesText, fileName } from '../format.ts'
import { ErrorNote, Field } from '../ui.tsx'

interface Upload {
  readonly name: string
  readonly size: number
  readonly share: number
  readonly url?: string
  readonly error?: Error
  readonly abort: AbortController
}

/** A name that the file share takes, near to the file's own; its last part stays. */
export const objectName = (name: string): string => {
  const end = (/\.([a-z]+)$/i.exec(name)?.[1] ?? 'tif').toLowerCase()
  const stem = name.replace(/\.[^.]*$/, '').replace(/[^a-zA-Z0-9-_]+/g, '_')
  return `${(stem || 'scene').slice(0, 45).padEnd(2, '_')}.${end.slice(0, 10)}`
}

/** Scenes as files, uploaded with progress, or as URLs. */
export const Scenes = ({
  urls,
  onUrls,
}: {
  urls: readonly string[]
  onUrls: (change: (urls: readonly string[]) => readonly string[]) => void
}) => {
  const [uploads, setUploads] = useState<readonly Upload[]>([])
  const [over, setOver] = useState(false)
  const chooser = useRef<HTMLInputElement>(null)
  const change = (abort: AbortController, next: Partial<Upload>) =>
    setUploads((all) => all.map((one) => (one.abort === abort ? { ...one, ...next } : one)))
  const upload = async (file: File) => {
    const abort = new AbortController()
    setUploads((all) => [...all, { name: file.name, size: file.size, share: 0, abort }])
    try {
      const share = await get<{ upload_url: string; download_url: string }>(
        `v2/file-share?object_name=${encodeURIComponent(objectName(file.name))}`,
        abort.signal,
      )
      await put(share.upload_url, file, (part) => change(abort, { share: part }), abort.signal)
      change(abort, { share: 1, url: share.download_url })
      onUrls((all) => [...all, share.download_url])
    } catch (error) {
      if (!abort.signal.aborted) change(abort, { error: error as Error })
    }
  }
  const take = (files: FileList | null | undefined) => {
    for (const file of files ?? []) void upload(file)
  }
  const remove = (one: Upload) => {
    one.abort.abort()
    setUploads((all) => all.filter((other) => other !== one))
    onUrls((all) => all.filter((url) => url !== one.url))
  }
  const uploaded = uploads.map(({ url }) => url)
  const given = urls.filter((url) => !uploaded.includes(url))
  return (
    <>
      <div
        class={`drop ${over ? 'over' : ''}`}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault()
          setOver(false)
          take(event.dataTransfer?.files)
        }}
      >
        <span>Drop GeoTIFFs here, or</span>
        <button type="button" onClick={() => chooser.current?.click()}>
          Choose files
        </button>
        <input
          ref={chooser}
          class="unseen"
          type="file"
          multiple
          tabIndex={-1}
          accept=".tif,.tiff,.zip"
          aria-label="GeoTIFF files"
          onChange={(event) => {
            take(event.currentTarget.files)
            event.currentTarget.value = ''
          }}
        />
      </div>
      <ul class="files" aria-label="Uploads">
        {uploads.map((one, n) => (
          <li key={n}>
            <span class="name">{one.name}</span>
            <span class="faint">{bytesText(one.size)}</span>
            {one.url ? (
              <span class="status good">Uploaded</span>
            ) : (
              !one.error && <progress value={one.share} aria-label={`Upload of ${one.name}`} />
            )}
            <button type="button" class="small" onClick={() => remove(one)}>
              Remove
            </button>
            <ErrorNote error={one.error} />
          </li>
        ))}
      </ul>
      <Field
        label="URLs of scenes"
        hint='One a line; https, public or signed. Of a model of several inputs: {"S2": "https://…", "S1": "https://…"}'
      >
        {(ids) => (
          <textarea
            {...ids}
            rows={2}
            spellcheck={false}
            value={given.join('\n')}
            title={given.map(fileName).join('\n')}
            onInput={(event) => {
              const lines = event.currentTarget.value.split('\n')
              const kept = lines.filter((line, n) => line.trim() || n === lines.length - 1)
              onUrls((all) => [...all.filter((url) => uploaded.includes(url)), ...kept])
            }}
          />
        )}
      </Field>
    </>
  )
}
