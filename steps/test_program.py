"""The frame of every raster program (containers/raster/geodag/program.py)."""

import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def test_a_program_that_asks_for_the_whole_machine_ends_alone(tmp_path):
    (tmp_path / "main.py").write_text(
        "import os, numpy\n"
        "from geodag.program import run\n"
        "whole = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')\n"
        "run(lambda job: numpy.empty(max(whole, 9_000_000_000), 'uint8'))\n"
    )
    (tmp_path / "parameters.json").write_text(json.dumps({"parameters": {}, "artifacts": {}}))
    env = {**os.environ, "PYTHONPATH": os.path.join(HERE, "../containers/raster")}
    subprocess.run([sys.executable, tmp_path / "main.py", tmp_path / "parameters.json", tmp_path, tmp_path / "out"], env=env, check=True)
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert (result["status"], result["error"]["code"]) == ("FAILED", "step.memory")


@pytest.mark.parametrize("ending, code, word", [
    ("os.kill(os.getpid(), signal.SIGSEGV)", "step.crashed", "SIGSEGV"),
    ("os.kill(os.getpid(), signal.SIGKILL)", "step.memory", "killed"),
    ("job.details.update(a=float('nan'), b=[1, float('inf')], c={'d': 2.5})", None, ""),
])
def test_a_program_always_leaves_a_result_that_is_json(tmp_path, ending, code, word):
    program = f"import os, signal\nfrom geodag.program import run\ndef main(job):\n    job.log('begun')\n    {ending}\nrun(main)\n"
    (tmp_path / "main.py").write_text(program)
    (tmp_path / "parameters.json").write_text(json.dumps({"parameters": {}, "artifacts": {}}))
    env = {**os.environ, "PYTHONPATH": os.path.join(HERE, "../containers/raster")}
    subprocess.run([sys.executable, tmp_path / "main.py", tmp_path / "parameters.json", tmp_path, tmp_path / "out"], env=env, check=True)
    result = json.loads((tmp_path / "out/result.json").read_text(), parse_constant=pytest.fail)
    error, log = result["error"] or {"code": None, "message": ""}, (tmp_path / "out/log.txt").read_text()
    assert error["code"] == code and word in error["message"] and log.startswith("begun") and word in log
    assert result["details"] == ({} if code else {"a": None, "b": [1, None], "c": {"d": 2.5}})
