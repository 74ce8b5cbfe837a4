# Runs in the image of containers/terratorch: `terratorch predict` over the scenes of scenes.py.
set -eu
mkdir -p /scenes /predicted /scratch
cd /scratch # it rewrites config_deploy.yaml in the working directory
python3 /geodag/test/terratorch/scenes.py /scenes
terratorch predict -c /geodag/models/tiny-water/config_deploy.yaml --ckpt_path /geodag/models/tiny-water/tiny_water.ckpt \
  --predict_output_dir /made --data.init_args.predict_data_root /scenes --trainer.precision 32-true
for made in /made/*_pred.tif; do
  name=$(basename "$made" _S2_pred.tif)
  cp "$made" "/predicted/$name.tif"
done
