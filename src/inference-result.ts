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

  /** The manifest as a few lines of text */
  @func()
  summary: string

  constructor(outputs: Directory, manifest: File, summary: string) {
    this.outputs = outputs
    this.manifest = manifest
    this.summary = summary
  }

  /** The summary; ends with exit code 1 when any task failed: for CI */
  @func()
  completed(): string {
    if (!this.summary.startsWith('COMPLETED ')) throw new Error(this.summary)
    return this.summary
  }

  /** The scene beside the scene with the prediction over it, PNG */
  @func()
  async preview(): Promise<File> {
    // A function and not a field: an inference that failed early has a manifest and no picture.
    if (!(await this.outputs.entries()).includes('preview.png'))
      throw new Error(`preview.missing: no task came as far as a picture\n${this.summary}`)
    return this.outputs.file('preview.png')
  }
}
