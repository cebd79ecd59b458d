#!/usr/bin/python3
"""check_convert_keras.py SCRIPT: a file laid out as Keras lays it out (groups by class, kernels
[height, width, in, out] and [in, out]) is converted; the network computed from the result in
PyTorch's layouts gives what the original gives in Keras's. Damaged and foreign files are refused.
Exit code 77 where h5py or torch are missing."""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

try:
    import h5py
    import numpy as np
    import torch
except ImportError as error:
    print("check_convert_keras: skipped:", error)
    sys.exit(77)

random = np.random.default_rng(3)
KERNELS = {"conv2d": (3, 2, 2, 4), "conv2d_1": (2, 2, 4, 3), "dense": (3 * 5 * 5, 6), "dense_1": (6, 2)}
WEIGHTS = {name: (random.standard_normal(shape).astype("f4"), random.standard_normal(shape[-1:]).astype("f4"))
           for name, shape in KERNELS.items()}


def write(path, weights=WEIGHTS):
    with h5py.File(path, "w") as file:
        file.create_group("vars")
        for name, arrays in weights.items():
            for index, array in enumerate(arrays):
                file[f"layers/{name}/vars/{index}"] = array
        file.create_group("layers/flatten/vars")
        file["optimizer/vars/0"] = np.zeros(3)


def keras_output(x):
    """x is [height, width, channels], every step in Keras's layouts."""
    for name in ("conv2d", "conv2d_1"):
        kernel, bias = WEIGHTS[name]
        rows, columns = x.shape[0] - kernel.shape[0] + 1, x.shape[1] - kernel.shape[1] + 1
        y = np.empty((rows, columns, kernel.shape[3]))
        for i in range(rows):
            for j in range(columns):
                window = x[i:i + kernel.shape[0], j:j + kernel.shape[1]]
                y[i, j] = np.tensordot(window, kernel, 3) + bias
        x = np.maximum(y, 0)
    x = x.reshape(-1)
    for name in ("dense", "dense_1"):
        kernel, bias = WEIGHTS[name]
        x = x @ kernel + bias
    return x


def read(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    data = content[8 + length:]
    return {name: torch.tensor(np.frombuffer(data[slice(*entry["data_offsets"])], "<f4")
                               .reshape(entry["shape"]).copy())
            for name, entry in json.loads(content[8:8 + length]).items()}


def main(script):
    folder = pathlib.Path(tempfile.mkdtemp())

    def convert(source, *options):
        command = [sys.executable, script, source, folder / "out", *options]
        return subprocess.run(command, capture_output=True, text=True)

    def refuse(source, reason, *options):
        done = convert(source, *options)
        assert done.returncode == 1 and reason in done.stderr, done
        assert not (folder / "out").exists()

    h5 = folder / "a.weights.h5"
    write(h5)
    names = "--names=a,b,c,d"
    refuse(h5, "has 4 layers with weights", "--names=a,b")
    refuse(h5, "--flatten", names, "--flatten=3,5,4")
    (folder / "text").write_text("weights")
    refuse(folder / "text", "is neither a .weights.h5 nor a .keras file")
    write(folder / "odd", {**WEIGHTS, "dense": (np.zeros((3 * 5 * 6, 6)), np.zeros(6))})
    refuse(folder / "odd", "no square map", names)
    write(folder / "nan", {**WEIGHTS, "dense_1": (np.full((6, 2), np.nan), np.zeros(2))})
    refuse(folder / "nan", "not finite", names)
    write(folder / "three", {**WEIGHTS, "dense_1": (np.zeros((6, 2)), np.zeros(2), np.zeros(2))})
    refuse(folder / "three", "neither a convolution nor a dense layer", names)
    with h5py.File(folder / "link", "w") as file:
        file["layers/conv2d/vars/0"] = h5py.ExternalLink("/etc/passwd", "x")
    refuse(folder / "link", "leads elsewhere", names)
    with h5py.File(folder / "empty", "w") as file:
        file.create_group("layers")
    refuse(folder / "empty", "holds no weights", names)

    with zipfile.ZipFile(folder / "a.keras", "w") as archive:
        archive.write(h5, "model.weights.h5")
    x = random.standard_normal((8, 7, 2)).astype("f4")  # becomes 6x6, then 5x5
    wanted = keras_output(x)
    for source in (h5, folder / "a.keras"):
        done = convert(source, names)
        assert done.returncode == 0, done
        w = read(folder / "out")
        y = torch.tensor(x).permute(2, 0, 1)[None]
        for name in "ab":
            y = torch.relu(torch.conv2d(y, w[name + ".weight"], w[name + ".bias"]))
        y = y.flatten(1)
        for name in "cd":
            y = torch.nn.functional.linear(y, w[name + ".weight"], w[name + ".bias"])
        error = np.abs(y[0].numpy() - wanted).max() / np.abs(wanted).max()
        print("check_convert_keras:", source.suffix, "error", error)
        assert error < 1e-5
        (folder / "out").unlink()
    assert convert(h5).returncode == 0
    assert list(read(folder / "out")) == [name + kind for name in KERNELS for kind in (".weight", ".bias")]


if __name__ == "__main__":
    main(sys.argv[1])
