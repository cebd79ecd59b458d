#!/usr/bin/python3
"""check_onnx.py MODEL VALUES: the ONNX file passes ONNX's checker (module onnx); run by onnxruntime
(that module) on the tensor `input` of the safetensors file VALUES, it gives the tensor `output` up to
1e-4 of its largest value. Exit code 77 where neither module is there."""

import json
import struct
import sys

import numpy as np


def load(path):
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    data = content[8 + length:]
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32)
                    .reshape(entry["shape"])
            for name, entry in json.loads(content[8:8 + length]).items()}


def main(model, values):
    checked = 0
    values = load(values)
    try:
        import onnx
    except ImportError:
        print("check_onnx: no module onnx, the checker is left out")
    else:
        network = onnx.load(model)
        onnx.checker.check_model(network, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(network, strict_mode=True)
        (output,) = inferred.graph.output
        shape = [dimension.dim_value for dimension in output.type.tensor_type.shape.dim]
        assert shape[1:] == list(values["output"].shape[1:]), shape
        print("check_onnx: onnx.checker", onnx.__version__, "finds no fault")
        checked += 1
    try:
        import onnxruntime
    except ImportError:
        print("check_onnx: no module onnxruntime, the numbers are left out")
    else:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        (found,) = session.run(["output"], {"input": values["input"]})
        wanted = values["output"]
        assert found.shape == wanted.shape, found.shape
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        print("check_onnx: onnxruntime", onnxruntime.__version__, "differs by", error)
        assert error <= 1e-4
        checked += 1
    return 0 if checked else 77


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
