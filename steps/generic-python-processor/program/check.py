"""What can be said of a script before it runs, and how it wants to be called.

Called as ``check.py script name`` in the sandbox itself, as to parse a stranger's text can take all
memory; prints ``{"positional": bool}`` or ``{"code", "message"}``.
"""

import json
import os
import re
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # ``-I`` leaves it out

from breach import Breach  # noqa: E402

PARSERS = {"argparse", "click", "getopt", "fire", "typer", "docopt", "optparse", "absl", "configargparse"}


def _is_guard(ast, node) -> bool:
    """``if __name__ == "__main__"``, either way round."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1:
        return False
    sides = [node.test.left, *node.test.comparators]
    names = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    mains = any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
    return isinstance(node.test.ops[0], ast.Eq) and names and mains


def check_script(script: str, name: str):
    """The parsed script. Raises ``processor.syntax`` or ``processor.no_main``."""
    import ast

    try:
        tree = ast.parse(script, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as failure:
        where = f"{name}, line {getattr(failure, 'lineno', '?')}"
        version = ".".join(map(str, sys.version_info[:3]))
        said = getattr(failure, "msg", None) or str(failure) or type(failure).__name__
        raise Breach("processor.syntax", f"{where}: {said} (it is run by Python {version})") from failure
    if not any(_is_guard(ast, node) for node in tree.body):
        raise Breach("processor.no_main", f'{name} has no `if __name__ == "__main__":` at top level: add one')
    return tree


def is_positional(tree) -> bool:
    """True for a script that reads ``sys.argv`` by hand and imports no parser of options."""
    import ast

    imported = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    reads = any(isinstance(node, ast.Attribute) and node.attr == "argv" for node in ast.walk(tree))
    reads |= any(isinstance(node, ast.Name) and node.id == "argv" for node in ast.walk(tree))
    return reads and not imported & PARSERS


def _text(value) -> str:
    return json.dumps(value) if isinstance(value, (dict, list)) or value is None else str(value)


def command_of(positional: bool, path: str, parameters: dict, source: str, work: str) -> list[str]:
    """The argument vector, in the style that the script reads. Never a shell.

    ``--key=value`` as one word: a value that begins with ``-`` is not taken for an option then.
    """
    python = ["/venv/bin/python", "-B", path]
    bad = [key for key in parameters if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", key)]
    if bad:
        raise Breach("processor.parameters", f"processor_parameters.{bad[0]!r}: a name is letters, digits, _ and -")
    if is_nul(parameters):
        raise Breach("processor.parameters", "processor_parameters hold a NUL character or half a surrogate pair, which no argument can")
    if positional:
        name = source.rstrip("/").rsplit("/", 1)[-1] or "output"
        return [*python, source, f"{work}/{name}", json.dumps(parameters)]
    flags = [f"--{key}={_text(value)}" for key, value in parameters.items() if key not in ("input", "output")]
    return [*python, *flags, "--input", source, "--output", work]


def is_nul(value) -> bool:
    """Whether a string at the top holds what execve(2) cannot pass; those below arrive as JSON escapes."""
    texts = [v for v in value.values() if isinstance(v, str)]
    return any("\0" in text or re.search("[\ud800-\udfff]", text) for text in texts)


def main(path: str, name: str) -> None:
    with open(path, encoding="utf-8") as file:
        script = file.read()
    try:
        answer = {"positional": is_positional(check_script(script, name))}
    except Breach as breach:
        answer = {"code": breach.code, "message": str(breach)[:2000]}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
