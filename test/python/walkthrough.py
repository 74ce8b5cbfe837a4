"""A client of GEOStudio's guide: upload a processor, run it, poll, list tasks, fetch the outputs.

``walkthrough.py BASE PROCESSOR.py SCENE_URL TUNE`` with the key in STUDIO_API_KEY; prints one JSON
object. It makes the calls as scripts after that guide make them: a base that ends in a slash, the
doubled slash that follows from it, ``output-url`` and its key ``url``, a Bearer key to delete.
"""

import json
import os
import sys
import time

import requests

base, script, scene, tune = sys.argv[1:]
url = f"{base}/v2/"
key = os.environ["STUDIO_API_KEY"]
headers = {"X-API-Key": key}


def said(answer, status):
    """The answer's JSON, if it has the status that a client waits for."""
    if answer.status_code != status:
        sys.exit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
    return answer.json()


metadata = {
    "name": "keep_above",
    "description": "Keeps values above a threshold",
    "processor_parameters": {"threshold": 0, "method": "threshold"},
}
with open(script, "rb") as file:
    processor = said(
        requests.post(
            f"{url}/generic-processor",
            headers=headers,
            files={"generic_processor_file": ("keep_above.py", file)},
            data={"generic_processor_metadata": json.dumps(metadata)},
        ),
        201,
    )

inference = said(
    requests.post(
        f"{url}/inference",
        headers=headers,
        json={
            "model_display_name": "geofm-sandbox-models",
            "description": "Water of a lake",
            "location": "A lake",
            "spatial_domain": {"urls": [scene]},
            # One scene and two days: the first counts.
            "temporal_domain": ["2024-06-15", "2024-06-16"],
            "maxcc": 80,
            "post_processing": {
                "cloud_masking": "False",
                "ocean_masking": "False",
                "snow_ice_masking": "False",
                "permanent_water_masking": "False",
            },
            "fine_tuning_id": tune,
            "generic_processor_id": processor["id"],
        },
    ),
    201,
)

seen = [inference["status"]]
while seen[-1] not in ("COMPLETED", "FAILED", "STOPPED"):
    time.sleep(2)
    inference = said(requests.get(f"{url}/inference/{inference['id']}", headers=headers), 200)
    if inference["status"] != seen[-1]:
        seen.append(inference["status"])

tasks = said(requests.get(f"{url}/inference/{inference['id']}/tasks", headers=headers), 200)
outputs = []
for task in tasks["tasks"]:
    answer = requests.get(f"{url}/tasks/{task['task_id']}/output-url", headers=headers)
    # The planner's task has no output: a client passes over it.
    if task["status"] == "FINISHED" and answer.status_code == 200:
        outputs.append(answer.json()["url"])

removed = requests.delete(
    f"{url}/generic-processor/{processor['id']}", headers={"Authorization": f"Bearer {key}"}
)
print(
    json.dumps(
        {
            "processor": processor["id"],
            "inference": inference["id"],
            "seen": seen,
            "counts": [inference["tasks_count_total"], inference["tasks_count_success"]],
            "outputs": outputs,
            "removed": [removed.status_code, removed.text],
        }
    )
)
