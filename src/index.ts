/**
 * Earth-observation inference: each pipeline step, and their composition, as Dagger functions.
 */
import {
  argument,
  check,
  dag,
  Directory,
  File,
  func,
  object,
  Secret,
  Service,
} from '@dagger.io/dagger'
import { checkLake, checkModels } from '../pipelines/module-checks.ts'
import {
  composeInference,
  exportModel,
  modelText,
  planText,
  readScriptFile,
  runNamed,
  runOne,
} from '../pipelines/module.ts'
import { InferenceResult } from './inference-result.ts'

@object()
export class Geodag {
  assets: Directory // a declared field: parameter properties are lost between calls

  constructor(
    /** Programs, image recipes and models; defaults to this module's own. */
    @argument({
      defaultPath: '.',
      ignore: [
        '*',
        '!steps/*/program/**',
        '!containers/**',
        '!models/**',
        '!examples/**',
        '**/__pycache__',
      ],
    })
    assets: Directory,
  ) {
    this.assets = assets
  }

  /** Run a model over scenes: fetch, infer, process, mask, publish. */
  @func({ cache: 'never' })
  async runInference(
    /** Name of a shipped model: a file of models/ without .yaml */
    model?: string,
    /** A model's metadata of your own, YAML, or a STAC MLM Item; instead of model */
    modelFile?: File,
    /** ONNX weights for model-file, when its inference.weights.file is weights.onnx */
    weights?: File,
    /** TerraTorch's YAML of your fine-tuned model: with checkpoint instead of model, or as config.yaml of model-file */
    config?: File,
    /** The .ckpt of the same training; checkpoint.ckpt of model-file */
    checkpoint?: File,
    /** The request, YAML or JSON: the body of POST /v2/inference */
    request?: File,
    /** One GeoTIFF to run on */
    scene?: File,
    /** A folder of GeoTIFFs: a task for each, or named by the request's urls */
    inputs?: Directory,
    /** Acquisition date of a scene, YYYY-MM-DD, UTC; with a place a day or a range first_last, .. for an open end */
    datetime?: string,
    /** Place: west,south,east,north in degrees, EPSG:4326, such as 3.0,45.11,3.06,45.15; west > east crosses 180 degrees */
    bbox?: string,
    /** Place: GeoJSON, a polygon or several; its box is read */
    polygon?: File,
    /** Place: MGRS squares such as 31TCJ, or Web Mercator keys z/x/y, by commas */
    tile?: string,
    /** Most cloud of a day over the place, percent; 0 is no limit */
    maxcc?: number,
    /** Least share of the place that a day's scenes cover, 0 to 1 */
    minCoverage?: string,
    /** day, or the best day of each week, month or of all */
    onePer?: string,
    /** Pixels outside polygon become nodata */
    clip?: boolean,
    /** STAC catalogues of your own, YAML: see docs/catalogues.md */
    catalogues?: File,
    /** Accounts of catalogues, JSON: see docs/catalogues.md */
    credentials?: Secret,
    /** Catalogues, scenes and weights on private addresses may be asked: only in a network of your own */
    allowPrivateHosts?: boolean,
    /** Run the model on the GPUs of the engine's machine; on its CPU where it has none */
    gpu?: boolean,
    /** Your Python script, run in the sandbox on the prediction */
    processor?: File,
    /** Its parameters, a JSON object */
    processorParameters: string = '{}',
    /** Its limits where the defaults do not do, a JSON object such as {"memory_mb": 4096, "wall_seconds": 1200} */
    processorLimits: string = '{}',
    /** URL of land polygons for ocean_masking: GeoJSON, GeoPackage, zipped Shapefile; Natural Earth 1:10m by default */
    landPolygons?: string,
    /** URL of a raster of permanent water, 1 is water, or of a STAC collection of such */
    permanentWater?: string,
    /** GeoServer to publish to, such as https://host/geoserver; without it the push is skipped */
    geoserverUrl?: string,
    /** GeoServer's user name */
    geoserverUsername?: Secret,
    /** GeoServer's password */
    geoserverPassword?: Secret,
    /** PEM certificate of the authority that signed GeoServer's, such as file:ca.pem */
    geoserverCa?: Secret,
    /** A GeoServer on this machine, such as tcp://localhost:8080; its URL is then http://geoserver:8080/geoserver */
    geoserver?: Service,
    /** Id of the inference; by default made from the request, so that equal calls are equal work */
    inferenceId?: string,
  ): Promise<InferenceResult> {
    const done = await composeInference(dag, this.assets, {
      model,
      modelFile,
      weights,
      config,
      checkpoint,
      request,
      scene,
      inputs,
      datetime,
      bbox,
      polygon,
      tile,
      maxcc,
      minCoverage,
      onePer,
      clip,
      catalogues,
      credentials,
      allowPrivateHosts,
      gpu,
      processor,
      processorParameters,
      processorLimits,
      landPolygons,
      permanentWater,
      geoserverUrl,
      geoserverUsername,
      geoserverPassword,
      geoserverCa,
      geoserver,
      inferenceId,
    })
    return new InferenceResult(done.outputs, done.outputs.file('manifest.json'), done.summary)
  }

  /** Show what run-inference would run, as JSON, without running it. */
  @func()
  async plan(
    /** Name of a shipped model */
    model?: string,
    /** A model's metadata of your own, YAML, or a STAC MLM Item */
    modelFile?: File,
    /** TerraTorch's YAML of your fine-tuned model */
    config?: File,
    /** The .ckpt of the same training */
    checkpoint?: File,
    /** The request, YAML or JSON */
    request?: File,
    /** One GeoTIFF */
    scene?: File,
    /** A folder of GeoTIFFs */
    inputs?: Directory,
    /** Acquisition date, YYYY-MM-DD, or a range first_last */
    datetime?: string,
    /** Place: west,south,east,north in degrees, EPSG:4326, such as 3.0,45.11,3.06,45.15; west > east crosses 180 degrees */
    bbox?: string,
    /** Place: GeoJSON, a polygon or several; its box is read */
    polygon?: File,
    /** Place: MGRS squares such as 31TCJ, or Web Mercator keys z/x/y, by commas */
    tile?: string,
    /** Most cloud of a day over the place, percent; 0 is no limit */
    maxcc?: number,
    /** Least share of the place that a day's scenes cover, 0 to 1 */
    minCoverage?: string,
    /** day, or the best day of each week, month or of all */
    onePer?: string,
    /** Pixels outside polygon become nodata */
    clip?: boolean,
    /** STAC catalogues of your own, YAML: see docs/catalogues.md */
    catalogues?: File,
    /** Accounts of catalogues, JSON: see docs/catalogues.md */
    credentials?: Secret,
    /** Catalogues, scenes and weights on private addresses may be asked: only in a network of your own */
    allowPrivateHosts?: boolean,
    /** Your Python script */
    processor?: File,
    /** Its parameters, a JSON object */
    processorParameters: string = '{}',
    /** Its limits, a JSON object */
    processorLimits: string = '{}',
  ): Promise<string> {
    return planText(dag, this.assets, {
      model,
      modelFile,
      config,
      checkpoint,
      request,
      scene,
      inputs,
      datetime,
      bbox,
      polygon,
      tile,
      maxcc,
      minCoverage,
      onePer,
      clip,
      catalogues,
      credentials,
      allowPrivateHosts,
      processor,
      processorParameters,
      processorLimits,
    })
  }

  /** The metadata of a model, as JSON, checked. */
  @func()
  async model(
    /** A file of models/ without .yaml */
    name?: string,
    /** A model of your own, YAML, or a STAC MLM Item of another registry; instead of name */
    modelFile?: File,
    /** json: the metadata as geodag reads them; mlm: a STAC Item of the Machine Learning Model extension */
    as: string = 'json',
  ): Promise<string> {
    return modelText(dag, this.assets, { model: name, modelFile }, as)
  }

  /** Export a fine-tuned TerraTorch model to ONNX: model.onnx and runtime.json, proved against torch. */
  @func()
  async exportModel(
    /** TerraTorch's YAML, such as config_deploy.yaml */
    config: File,
    /** The .ckpt of the same training */
    checkpoint: File,
    /** Side of the window in pixels; by default the config's */
    tile?: number,
  ): Promise<Directory> {
    return exportModel(dag, this.assets, { config, checkpoint }, tile)
  }

  /** Make the demo's synthetic scene, bands of Sentinel-2 L1C: a lake, a river, clouds; EPSG:32630, 10 m. */
  @func()
  demoScene(
    /** Same seed, same bytes */
    seed: number = 7,
    /** Side in pixels */
    size: number = 768,
    /** Bands by name, by commas, in the file's order; all 13 when left out */
    bands: string = '',
  ): File {
    return this.assets
      .directory('containers/raster')
      .dockerBuild()
      .withMountedFile('/make_scene.py', this.assets.file('examples/make_scene.py'))
      .withExec([
        'python3',
        '/make_scene.py',
        '/scene.tif',
        '--seed',
        String(seed),
        '--size',
        String(size),
        ...(bands ? ['--bands', bands] : []),
      ])
      .file('/scene.tif')
  }

  /** Any step by its name, on its own: what the pipeline calls, for a module or a CI of yours. */
  @func({ cache: 'never' })
  async step(
    /** Folder of steps/, such as data-connector or cloud-mask */
    name: string,
    /** JSON of the step's parameters: its contract.ts lists them, plan shows them */
    parameters: string = '{}',
    /** What the steps before it returned */
    input?: Directory,
  ): Promise<Directory> {
    return runNamed(dag, this.assets, name, parameters, input)
  }

  /** Step: one scene by URL or from a folder, its bands selected, scaled and filled. */
  @func({ cache: 'never' })
  async urlConnector(
    /** JSON of the step's parameters: url or file, date, bands */
    parameters: string,
    /** Folder that holds parameters.file */
    input?: Directory,
  ): Promise<Directory> {
    return runOne(dag, this.assets, 'url-connector', parameters, input)
  }

  /** Step: an ONNX model over a model input, window by window. */
  @func()
  async onnxInference(
    /** JSON of the step's parameters: the inference block of a model's YAML */
    parameters: string,
    /** What url-connector returned */
    input: Directory,
  ): Promise<Directory> {
    return runOne(dag, this.assets, 'onnx-inference', parameters, input)
  }

  /** Step: a fine-tuned TerraTorch model over a model input. */
  @func()
  async terratorchInference(
    /** JSON of the step's parameters: the inference block of a model's YAML */
    parameters: string,
    /** What url-connector returned */
    input: Directory,
  ): Promise<Directory> {
    return runOne(dag, this.assets, 'terratorch-inference', parameters, input)
  }

  /** Step: your Python script in the sandbox: no network, no capabilities, limits. */
  @func()
  async genericPythonProcessor(
    /** The script, with a __main__ guard */
    processor: File,
    /** What onnx-inference returned, with the model input */
    input: Directory,
    /** Parameters of the script, a JSON object */
    processorParameters: string = '{}',
  ): Promise<Directory> {
    const parameters = JSON.stringify({
      ...(await readScriptFile(dag, processor)),
      processor_parameters: JSON.parse(processorParameters),
    })
    return runOne(dag, this.assets, 'generic-python-processor', parameters, input)
  }

  /** Step: RGB, masks, preview and archive.zip of a prediction. */
  @func()
  async postprocessGeneric(
    /** JSON of the step's parameters: rgb, masks, mask_band, regularization, classes */
    parameters: string,
    /** Scene and prediction, as the steps before returned them */
    input: Directory,
  ): Promise<Directory> {
    return runOne(dag, this.assets, 'postprocess-generic', parameters, input)
  }

  /** Step: publish layers to a GeoServer; never cached. */
  @func({ cache: 'never' })
  async pushToGeoserver(
    /** JSON of the step's parameters: url, layer_prefix, layers */
    parameters: string,
    /** The rasters to publish */
    input: Directory,
    /** GeoServer's user name */
    username: Secret,
    /** GeoServer's password */
    password: Secret,
    /** PEM certificate of the authority that signed GeoServer's, such as file:ca.pem */
    ca?: Secret,
  ): Promise<Directory> {
    return runOne(dag, this.assets, 'push-to-geoserver', parameters, input, {
      geoserverUsername: username,
      geoserverPassword: password,
      ...(ca ? { geoserverCa: ca } : {}),
    })
  }

  /** Every shipped model's metadata parse and name known steps. */
  @func()
  @check()
  async modelsAreValid(): Promise<void> {
    await checkModels(dag, this.assets)
  }

  /** The water model finds the lake of the synthetic scene, through every step. */
  @func()
  @check()
  async lakeIsFound(): Promise<void> {
    await checkLake(dag, this.assets, this.demoScene(7, 256))
  }
}
