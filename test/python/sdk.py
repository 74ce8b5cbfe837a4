"""Every method of geostudio 0.1.5 that runs inferences, against a running server."""

import json
import logging
import os
import sys

import requests
from geostudio import Client

base, key, scene = sys.argv[1:]
os.environ["GEOSTUDIO_API_KEY"] = key
os.environ["BASE_STUDIO_UI_URL"] = base + "/"
config = os.path.join(os.environ["HOME"], "geostudio.env")
with open(config, "w") as file:
    file.write(f"GEOSTUDIO_API_KEY={key}\nBASE_STUDIO_UI_URL={base}/\n")
client = Client(geostudio_config_file=config)
seen = {}


def check(name, truth, value=None):
    seen[name] = bool(truth)
    if not truth:
        print(f"WRONG {name}: {value}", file=sys.stderr)


models = client.list_models(output="json")
check("list_models", any(m["display_name"] == "tiny-water" for m in models["results"]), models)
check("list_models df", len(client.list_models(output="df").columns) >= 18)
keys = client.list_apikeys(output="json")
check("list_apikeys", keys["page_count"] == 1, keys)
made = client.create_apikey()
check("create_apikey", made.get("value", "").startswith("pak-"), made)
check("activate_apikey", client.activate_apikey(made["id"], {"active": False})["active"] is False)
check("delete_apikey", "detail" not in client.delete_apikey(made["id"]))
shipped = next(m for m in models["results"] if m["display_name"] == "tiny-water")
fields = ("pipeline_steps", "geoserver_push", "model_input_data_spec", "postprocessing_options")
model = client.create_model({"display_name": "my-model", "description": "mine", "model_url": "https://model.example.org/pool", **{k: shipped[k] for k in fields}})
check("create_model", model.get("version") == 1, model)
check("get_model", client.get_model(model["id"])["display_name"] == "my-model")
changed = client.update_model(model["id"], {"display_name": "my-model", "description": "other"})
check("update_model", changed.get("description") == "other", changed)
refused = client.deploy_model(model["id"], {})
check("deploy_model", "model_checkpoint_url" in json.dumps(refused), refused)
links = client.get_fileshare_links("scene.tif")
check("get_fileshare_links", links.get("upload_url"), links)
uploaded = client.upload_file(scene)
check("upload_file", "download_url" in json.dumps(uploaded), uploaded)
url = uploaded["download_url"] if isinstance(uploaded, dict) else uploaded
inference = client.submit_inference({
    "model_display_name": "tiny-water", "location": "Lake", "description": "by the SDK",
    "spatial_domain": {"bbox": [], "polygons": [], "tiles": [], "urls": [url]},
    "temporal_domain": ["2019-09-18"],
})
check("submit_inference", inference.get("status") == "PENDING", inference)
ended = client.poll_inference_until_finished(inference["id"])
check("poll_inference_until_finished", ended["status"] == "COMPLETED", ended)
check("list_inferences", client.list_inferences(output="json")["total_records"] >= 1)
check("get_inference", client.get_inference(inference["id"])["id"] == inference["id"])
tasks = client.get_inference_tasks(inference["id"])["tasks"]
work = next(t["task_id"] for t in tasks if not t["task_id"].endswith("planning"))
check("get_inference_tasks", len(tasks) == 2, tasks)
table = client.inference_task_status_df(inference["id"])
check("inference_task_status_df", len(table) >= 1, table)
output = client.get_task_output_url(work)
check("get_task_output_url", output.get("output_url"), output)
part = requests.get(output["output_url"], headers={"Range": "bytes=0-3"})
check("Range", part.status_code == 206 and part.content == b"PK\x03\x04", part.status_code)
log = client.get_task_step_logs(work, "onnx-inference")
check("get_task_step_logs", "window" in requests.get(log["step_log_url"]).text, log)
check("list_datasource", len(client.list_datasource(output="json")["results"]) == 10)
aws = client.get_datasource("04f16b56-090f-4c04-91dc-a8d1e7d7f87d")
check("get_datasource", "sentinel_aws" in str(aws), aws)
names = client.list_datasource_collections("sentinel_aws")
check("list_datasource_collections", "sentinel-2-l2a" in names["results"], names)
advice = client.check_data_availability("sentinelhub", {"collections": ["s2_l2a"], "dates": ["2024-01-01"], "bbox": [[1, 1, 1.1, 1.1]]})
check("check_data_availability", "credentials" in json.dumps(advice), advice)
tried = client.try_out_tune("geotune-tiny-water", {
    "location": "Lake", "description": "try", "spatial_domain": {"bbox": [], "polygons": [], "tiles": [], "urls": [url]},
    "temporal_domain": ["2019-09-18"],
})
check("try_out_tune", tried.get("status") == "PENDING", tried)
check("delete_inference", client.delete_inference(inference["id"]) == {"reason": ""})
check("gone", client.get_inference(inference["id"]).get("detail") == "Inference not found")
check("delete_model", client.delete_model(model["id"]) == {"reason": ""})
print(json.dumps(seen))
