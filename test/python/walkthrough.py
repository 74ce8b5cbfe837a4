import requests
import json
import os
import time
STUDIO_API_KEY = os.getenv("STUDIO_API_KEY", "your-api-key")
# Step 1: Create a generic processor
file_path = "/path/to/your/script.py"
url = "https://your-api-url/v2/"
headers = { "X-API-Key": STUDIO_API_KEY}
# Processor metadata
metadata = {
    "name": "cloud_masking",
    "description": "Custom cloud masking processor",
    "processor_parameters": {"threshold": 80, "method": "scl_based"},
}
# Prepare the multipart form data
files = {"generic_processor_file": ("cloud_masking.py", open(file_path, "rb"))}
data = {"generic_processor_metadata": json.dumps(metadata)}
try:
    response = requests.post(
        f"{url}/generic-processor",
        headers=headers,
        files=files,
        data=data,
        verify=False
    )
    processor = response.json()
    if response.status_code == 201:
        print("Succesfully created generic processor")
        print(f"Processor ID: {processor['id']}")
    else:
        print(f"Error: {response.status_code} - {response.text}")
except requests.exceptions.RequestException as e:
    print(f"Error: {e}")
# Step 2: Create inference with the generic processor
payload = {
    "model_display_name": "geofm-sandbox-models",
    "description": "Flood detection for Vienna region",
    "location": "Vienna, Austria",
    "spatial_domain": {
        "urls": [
            "https://geospatial-studio-example-data.s3.us-east.cloud-object-storage.appdomain.cloud/examples-for-inference/austin1_tile_0_1024_train.tiff"
        ]},
    "temporal_domain": ["2024-06-15", "2024-06-16"],
    "maxcc": 80,
    "post_processing": {
        "cloud_masking": "False",
        "ocean_masking": "False",
        "snow_ice_masking": "False",
        "permanent_water_masking": "False"
    },
    "fine_tuning_id": "your_onboarded_tune_id",
    "generic_processor_id": processor['id']
}
try:
    response = requests.post(f"{url}/inference", headers=headers, json=payload, verify=False)
    inference = response.json()
    if response.status_code == 201:
        print("Succesfully created inference")
        inference_id = inference['id']
        print(f"Inference ID: {inference_id}")
        print(inference)
    else:
        print(f"Error {response.status_code} - {response.text}")
except requests.exceptions.RequestException as e:
    print(f"Error: {e}")
# Step 3: Monitor inference progress
while True:
    response = requests.get(
        f"{url}/inference/{inference_id}",
        headers=headers,
        verify=False
    )
    inference = response.json()
    status = inference['status']
    print(f" Status: {status}")
    print(f" Tasks - Total: {inference.get('tasks_count_total', 0)}, "
          f"Success: {inference.get('tasks_count_success', 0)}")
    if status in ['COMPLETED', 'FAILED', 'STOPPED']:
        break
    time.sleep(30) # Check every 30 seconds
# Step 4: Retrieve results
if status == 'COMPLETED':
    print("\n✓ Inference completed successfully!")
    response = requests.get(
        f"{url}/inference/{inference_id}/tasks",
        headers=headers,
        verify=False
    )
    tasks = response.json()
    for task in tasks['tasks']:
        if task['status'] == 'FINISHED':
            task_id = task['task_id']
            response = requests.get(
                f"{url}/tasks/{task_id}/output-url",
                headers=headers
            )
            if response.status_code == 200:
                output_data = response.json()
                print(f" Output: {output_data['url']}")
else:
    print(f"\n✗ Inference {status.lower()}")
