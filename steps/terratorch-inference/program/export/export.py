"""TerraTorch config and checkpoint to ``model.onnx`` and ``runtime.json``: ``export.py config checkpoint folder [rows columns]``.

Run confined and without network: the config names Python classes and the checkpoint is a pickle. ``answer.json`` says how it
ended: ``{"code": null}``, or a code and a message.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from answer import answered  # noqa: E402
from checkpoint import load  # noqa: E402
from config import Refused, frames_of, inputs_of, outputs_of, read, task_of, tiling_of, window_of  # noqa: E402
from network import build, network  # noqa: E402
from proof import export  # noqa: E402


def run(config_path: str, checkpoint_path: str, folder: str, tile: tuple[int, int] | None) -> None:
    """Raises ``Refused``."""
    with open(config_path, encoding="utf-8", errors="replace") as file:
        config = read(file.read())
    kind, task = task_of(config)
    given = config["model"]["init_args"]
    rows, rules = inputs_of(config)
    tiling = tiling_of(given, tile or window_of(config, task))
    frames = frames_of(config) if rules["temporal"] else 1
    os.environ.setdefault("LOGNAME", "export")  # the dynamo exporter asks for the user's name, and the sandbox's has none
    import torch

    torch.manual_seed(0)
    print("Building the network of the config.", flush=True)
    model = build(config, kind)
    load(model, checkpoint_path)
    print(f"The checkpoint fits: {sum(one.numel() for one in model.parameters())} parameters. Exporting.", flush=True)
    arguments = given["model_args"]
    shape = (*((frames,) if rules["temporal"] else ()), tiling["h"], tiling["w"])
    tiles = [torch.randn((2, len(row["select"]), *shape)) for row in rows]
    net = network(model, rows, rules["joined"])
    try:
        with torch.no_grad():
            net(*tiles)
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        shapes = [tuple(one.shape) for one in tiles]
        raise Refused("model.bad_config", f"config: the network does not take windows of {shapes} (batch, band, row, column): {why}") from error
    done = export(net, tiles, [row["name"] for row in rows], os.path.join(folder, "model.onnx"))
    runtime = {
        **{"format": 1, "task": task, "inputs": rows, **rules, "frames": frames, "coords": []},
        **{"tiling": tiling, "tile": [tiling["h"], tiling["w"]], "output_on_inference": outputs_of(given)},
        **{"classes": given.get("class_names"), "num_classes": arguments.get("num_classes"), "torch": torch.__version__, **done},
    }
    with open(os.path.join(folder, "runtime.json"), "w", encoding="utf-8") as file:
        json.dump(runtime, file, indent=1)
    proof = done["proof"]
    print(
        f"Exported by the {done['exporter']} exporter, batch {done['batch'] or 'any'}: differs from torch by at most "
        f"{proof['max_abs_diff']:.2g} of {proof['max_abs']:.2g}, {proof['argmax_flips']} of {proof['of']} classes differ"
    )


def main() -> None:
    config, checkpoint, folder = sys.argv[1:4]
    tile = (int(sys.argv[4]), int(sys.argv[5])) if len(sys.argv) > 5 else None
    answered(folder, lambda: run(config, checkpoint, folder, tile))


if __name__ == "__main__":
    main()
