"""The network of a config alone: no trainer, logger, callback, transform or data module is built."""

import copy

from config import bad, not_exportable

FROM_ELSEWHERE = ("ckpt", "checkpoint", "pretrained_cfg")


def arguments_of(init_args: dict) -> dict:
    """model_args without weights from elsewhere: all of them are in the checkpoint."""
    given = {key: value for key, value in (init_args.get("model_args") or {}).items() if not any(word in key for word in FROM_ELSEWHERE)}
    return given | {key: False for key in ("pretrained", "backbone_pretrained") if key in given}


def build(config: dict, kind: str):
    """By the same factory as the task uses, without pretrained weights. Raises ``Refused``."""
    given = config["model"]["init_args"]
    if given.get("model") or not given.get("model_factory"):
        raise not_exportable("config.model.init_args: the task is given a model object, not a factory")
    if not isinstance(given.get("model_args"), dict):
        raise bad("model.init_args.model_args", "must be a mapping")
    import terratorch.models  # noqa: F401  registers everything
    from terratorch.registry import MODEL_FACTORY_REGISTRY

    arguments = arguments_of(given)
    try:
        return MODEL_FACTORY_REGISTRY.build(given["model_factory"]).build_model(kind, **arguments).eval()
    except Exception as error:  # any of a hundred model classes
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
        raise bad("model.init_args.model_args", f"terratorch cannot build the network: {why}") from error


def network(model, rows: list[dict], joined: bool):
    """A module that takes a tensor an input and gives [n, class, row, column], or [n, class]."""
    import torch

    names = [row["name"] for row in rows]

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *images):
            if len(images) == 1:
                x = images[0]
            else:
                x = torch.cat(images, 1) if joined else dict(zip(names, images, strict=True))
            y = self.model(x).output
            return y.unsqueeze(1) if y.ndim in (1, 3) else y  # regression has lost its channel

    return Network().eval().requires_grad_(False)


def with_fixed_pools(net, tiles: list):
    """AdaptiveAvgPool2d as two constant matrices: the tracing exporter cannot see its input size; the tile is fixed, so
    that this is exact."""
    import torch

    class Pool(torch.nn.Module):
        def __init__(self, out, size):
            super().__init__()
            for name, o, n in zip("ab", out, size, strict=True):
                matrix = torch.zeros(o, n)
                for i in range(o):
                    low, high = i * n // o, -(-(i + 1) * n // o)
                    matrix[i, low:high] = 1 / (high - low)
                self.register_buffer(name, matrix if name == "a" else matrix.T.contiguous())

        def forward(self, x):
            return self.a @ x @ self.b

    def wanted(module):
        return isinstance(module, torch.nn.AdaptiveAvgPool2d) and module.output_size not in (1, (1, 1))

    if not any(wanted(module) for module in net.modules()):
        return net
    net, sizes = copy.deepcopy(net), {}
    found = {name: module for name, module in net.named_modules() if wanted(module)}

    def note(name):
        return lambda _module, x: sizes.__setitem__(name, tuple(x[0].shape[-2:]))

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in found.items()]
    with torch.no_grad():
        net(*tiles)
    for hook in hooks:
        hook.remove()
    for name, module in found.items():
        out = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * 2
        parent, _, leaf = name.rpartition(".")
        setattr(net.get_submodule(parent), leaf, Pool(out, sizes[name]))
    return net
