#!/usr/bin/python3
"""check_onnx.py FOLDER: FOLDER/alexnet.onnx passes ONNX's checker (module onnx), and run by
onnxruntime (that module) it gives the logits of FOLDER/logits.safetensors for a photo. Exit code 77
where neither module is there."""

import json
import pathlib
import struct
import sys

import numpy as np


def prepared(path):
    """A PNG of 224x224, which torchvision's preparation resizes to 256 and cuts: made by Pillow."""
    from PIL import Image
    image = Image.open(path).convert("RGB").resize((256, 256), Image.BILINEAR).crop((16, 16, 240, 240))
    values = np.asarray(image).astype(np.float32) / 255
    values = (values - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return values.transpose(2, 0, 1)[None]


def main(folder):
    checked = 0
    model = folder / "alexnet.onnx"
    try:
        import onnx
    except ImportError:
        print("check_onnx: no module onnx, the checker is left out")
    else:
        network = onnx.load(str(model))
        onnx.checker.check_model(network, full_check=True)
        shapes = onnx.shape_inference.infer_shapes(network, strict_mode=True).graph.value_info
        sizes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim][1:]
                 for value in shapes}
        assert sizes["Conv2d.features.0"] == [64, 55, 55], sizes
        assert sizes["Linear.classifier.4"] == [4096], sizes
        print("check_onnx: onnx.checker", onnx.__version__, "finds no fault")
        checked += 1
    try:
        import onnxruntime
    except ImportError:
        print("check_onnx: no module onnxruntime, the numbers are left out")
    else:
        content = (folder / "logits.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        assert json.loads(content[8:8 + length])["logits"]["shape"] == [16, 1000]
        wanted = np.frombuffer(content[8 + length:], np.float32).reshape(16, 1000)[0]
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        (found,) = session.run(["output"], {"input": prepared(folder / "00.png")})
        error = np.abs(found[0] - wanted).max() / np.abs(wanted).max()
        print("check_onnx: onnxruntime", onnxruntime.__version__, "error of a logit", error)
        assert error <= 1e-4
        checked += 1
    return 0 if checked else 77


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
