"""TerraTorch itself over one scene: ``predict.py config checkpoint folder job.json``; for models that do not export.

Run confined and without network, as ``export.py``. Leaves ``prediction.tif``, what ``terratorch predict`` writes in 32 bit, and
``answer.json``. Of the config only data and model are used: trainer, logger, callbacks and optimizer are ours.
"""

import glob
import json
import os
import shutil
import subprocess
import sys

import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from answer import answered  # noqa: E402
from checkpoint import tensors_of  # noqa: E402
from config import BATCH, STRIDE, WINDOW, Refused, last, read  # noqa: E402
from network import arguments_of  # noqa: E402

OURS = ("data", "model", "out_dtype")
TRAINER = {
    **{"accelerator": "cpu", "devices": 1, "precision": "32-true", "logger": False, "enable_checkpointing": False},
    **{"enable_progress_bar": False, "callbacks": []},
}
TILED = {
    **{"h_crop": WINDOW, "w_crop": WINDOW, "h_stride": STRIDE, "w_stride": STRIDE},
    **{"batch_size": BATCH, "average_patches": True},
}


def scratch_config(config: dict, scenes: dict[str, str], folder: str) -> str:
    """Path of a config that predicts ``scenes``: modality, or "" where there is one, to the path of its raster."""
    kept = {key: config[key] for key in OURS if key in config} | {"trainer": TRAINER}
    roots = {}
    for modality, path in scenes.items():
        roots[modality] = os.path.join(folder, "scenes", modality or "one")
        os.makedirs(roots[modality])
        os.symlink(path, os.path.join(roots[modality], "scene.tif"))
    data = kept["data"]["init_args"]
    names = data.get("modalities")
    if names and set(names) != set(scenes):
        raise Refused("model.bad_input", f"the config reads {sorted(names)}, the run has {sorted(scenes)}: name each by its modality_tag")
    one = next(iter(roots.values()))
    data |= {"predict_data_root": roots if names else one, "batch_size": 1, "num_workers": 0}
    data |= {"image_grep": dict.fromkeys(names, "*.tif")} if names else {"img_grep": "*.tif"}
    if last(kept["model"]["class_path"]) != "SemanticSegmentationTask":
        kept["out_dtype"] = "float32"  # int16, its default, cuts a value's fraction off
    given = kept["model"]["init_args"]
    if not given.get("tiled_inference_parameters"):
        given["tiled_inference_parameters"] = TILED
    given["model_args"] = arguments_of(given)
    target = os.path.join(folder, "predict.yaml")
    with open(target, "w", encoding="utf-8") as file:
        # Anchors written twice make terratorch's parser fail.
        file.write(yaml.dump(json.loads(json.dumps(kept)), Dumper=yaml.SafeDumper))
    return target


def run(config_path: str, checkpoint_path: str, folder: str, job: dict) -> None:
    """Raises ``Refused``."""
    import torch

    with open(config_path, encoding="utf-8", errors="replace") as file:
        config = read(file.read())
    scratch = os.environ["HOME"]
    prepared = scratch_config(config, job["scenes"], scratch)
    tensors = tensors_of(checkpoint_path)
    if not any(key.startswith("model.") for key in tensors):
        tensors = {f"model.{key}": value for key, value in tensors.items()}
    plain = os.path.join(scratch, "state.ckpt")
    torch.save({"state_dict": tensors, "pytorch-lightning_version": "2.6.6"}, plain)
    made = os.path.join(scratch, "predicted")
    command = ["/venv/bin/terratorch", "predict", "-c", prepared, "--ckpt_path", plain, "--predict_output_dir", made]
    done = subprocess.run(command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, flush=True)
    found = sorted(glob.glob(f"{made}/**/*_pred.tif", recursive=True)) or sorted(glob.glob(f"{made}/**/*.tif", recursive=True))
    if done.returncode or not found:
        words = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), "it printed nothing")
        raise Refused("model.predict_failed", f"terratorch predict ended with {done.returncode} and {len(found)} rasters: {words[:500]}")
    shutil.copyfile(found[0], os.path.join(folder, "prediction.tif"))


def main() -> None:
    config, checkpoint, folder, job_path = sys.argv[1:]
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    answered(folder, lambda: run(config, checkpoint, folder, job))


if __name__ == "__main__":
    main()
