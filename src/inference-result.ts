import { Directory, File, func, object } from '@dagger.io/dagger'

/** What an inference made. */
@object()
export class InferenceResult {
  /** manifest.json, preview.png, and a folder a task: COGs, archive.zip, logs */
  @func()
  outputs: Directory

  /** How each step of each task ended: status, times, artifacts, error */
  @func()
  manifest: File

  /** The scene beside the scene with the prediction over it, PNG */
  @func()
  preview: File

  /** The manifest as a few lines of text */
  @func()
  summary: string

  constructor(outputs: Directory, manifest: File, preview: File, summary: string) {
    this.outputs = outputs
    this.manifest = manifest
    this.preview = preview
    this.summary = summary
  }
}
