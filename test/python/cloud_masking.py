"""
Generic Python Processor for Custom Data Processing
This script will be executed by the inference pipeline with command-line arguments.
The pipeline passes input_path, output_path, and processor parameters.
"""
import sys
import json
import numpy as np
import rasterio
from pathlib import Path
from typing import Dict, Any
import logging
# Set up logging
logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)
def apply_processing(data: np.ndarray, threshold: int, method: str = 'default') -> np.ndarray:
    """
    Apply your custom processing logic here.
    Args:
        data: Input raster data as numpy array
        threshold: Threshold value for processing
        method: Processing method to use
    Returns:
        Processed raster data
    """
    logger.info(f"Applying {method} processing with threshold {threshold}")
    if method == 'threshold':
        # Apply threshold to mask values
        mask = data > threshold
        processed = np.where(mask, data, 0)
    elif method == 'normalize':
        # Normalize data
        processed = (data - data.min()) / (data.max() - data.min())
    elif method == 'cloud_mask':
        # Example: Cloud masking logic
        # Assuming band 0 is the cloud probability
        cloud_mask = data[0] < threshold
        processed = data.copy()
        processed[:, ~cloud_mask] = 0
    else:
        # Default: return data as-is
        processed = data
    return processed
def main(input_path: str, output_path: str, parameters: Dict[str, Any]):
    """
    Main processing function.
    Args:
        input_path: Path to input raster file (model output)
        output_path: Path where processed output should be saved
        parameters: Dictionary of processor parameters from the API
    """
    try:
        logger.info(f"Processing {input_path}")
        logger.info(f"Parameters: {parameters}")
        # Get parameters
        threshold = parameters.get('threshold', 80)
        method = parameters.get('method', 'default')
        # Read input raster
        with rasterio.open(input_path) as src:
            data = src.read()
            profile = src.profile
            metadata = src.meta
        logger.info(f"Input shape: {data.shape}")
        # Apply custom processing logic
        processed_data = apply_processing(data, threshold, method)
        logger.info(f"Output shape: {processed_data.shape}")
        # Write output
        with rasterio.open(output_path, 'w', **profile) as dst:
            dst.write(processed_data)
        logger.info(f"Successfully processed and saved to {output_path}")
        # Return success status
        result = {
            "status": "success",
            "message": f"Processing completed with threshold {threshold}",
            "output_path": output_path,
            "input_shape": list(data.shape),
            "output_shape": list(processed_data.shape)
        }
        print(json.dumps(result))
        return 0
    except Exception as e:
        logger.error(f"Processing failed: {str(e)}", exc_info=True)
        # Return error status
        result = {
            "status": "error",
            "message": str(e),
            "input_path": input_path
        }
        print(json.dumps(result))
        return 1
if __name__ == "__main__":
    """
    Entry point when script is executed.
    The pipeline will call this script with arguments:
    python script.py <input_path> <output_path> <parameters_json>
    """
    if len(sys.argv) < 4:
        logger.error("Usage: python script.py <input_path> <output_path> <parameters_json>")
        sys.exit(1)
    input_path = sys.argv[1]
    output_path = sys.argv[2]
    parameters_json = sys.argv[3]
    # Parse parameters
    try:
        parameters = json.loads(parameters_json)
    except json.JSONDecodeError as e:
        logger.error(f"Failed to parse parameters JSON: {e}")
        parameters = {}
    # Run main processing
    exit_code = main(input_path, output_path, parameters)
    sys.exit(exit_code)
