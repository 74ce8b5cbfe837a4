"""How a confined program ends: ``answer.json``, ``{"code": null}`` or a code and a message."""

import json
import os
from collections.abc import Callable

from config import Refused


def answered(folder: str, run: Callable[[], None]) -> None:
    """Writes into ``folder`` how ``run`` ended; what is no ``Refused`` ends the program."""
    answer = {"code": None, "message": ""}
    try:
        run()
    except Refused as refused:
        answer = {"code": refused.code, "message": str(refused)}
    with open(os.path.join(folder, "answer.json"), "w", encoding="utf-8") as file:
        json.dump(answer, file)
