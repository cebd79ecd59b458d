#!/usr/bin/env python3
"""Compares the Keras recipe with Keras itself, on PyTorch: python3 -m venv V, V/bin/pip install keras
torch h5py, then V/bin/python tests/parity/compare_keras.py cifar10. The exit code is 1 where they
differ by more than the limits.

Keras makes the network and its initial weights, which travel by save_weights and
scripts/convert-keras. Compared are the probabilities that `alexnet predict` gives for test images, and
the weights after three steps of Adam without dropout with Keras's in float32 and in float64, on the
images that the network decides most clearly: at batch 4 with both, at the recipe's 64 with float64
(where Keras's float32 needs more images to choose among: --images), and for the record at batch 4 on
any images. compare_systems.py says why.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "torch"
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

from comparison import (ROOT, batches, clearest_first, compare, parse_and_build,  # noqa: E402
                        read_cifar10, run)
from make_goldens import load  # noqa: E402

LIMIT = 1e-4
CHANGE_LIMIT = 1e-2
IMAGES = 16
STEPS = 3


def compute_in(dtype):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def make_model(dtype="float32"):
    compute_in(dtype)
    return keras.Sequential([
        keras.Input((32, 32, 3)),
        layers.Resizing(227, 227),
        layers.Conv2D(96, 11, 4, activation="relu"), layers.MaxPooling2D(3, 2),
        layers.Conv2D(256, 5, padding="same", activation="relu"), layers.MaxPooling2D(3, 2),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(256, 3, padding="same", activation="relu"), layers.MaxPooling2D(3, 2),
        layers.Flatten(),
        layers.Dense(4096, activation="relu"), layers.Dense(4096, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])


def convert(model, folder):
    """The model's weights as a safetensors file in PyTorch's layouts; returns its path."""
    model.save_weights(folder / "model.weights.h5")
    path = folder / "model.safetensors"
    subprocess.run([sys.executable, ROOT / "scripts/convert-keras", folder / "model.weights.h5",
                    path], check=True, stdout=subprocess.DEVNULL)
    return path


def compare_probabilities(label, model, options, folder, pixels):
    """Of `pixels` [n, 32, 32, 3] in uint8; returns whether they are within the limit."""
    names = []
    for i, image in enumerate(pixels):
        names.append(folder / f"{i}.ppm")
        names[-1].write_bytes(b"P6 32 32 255\n" + image.tobytes())
    subprocess.run(
        [options.build / "examples/alexnet/alexnet", "predict", "--json", folder / "found.json",
         "--weights", convert(model, folder), *names], check=True, stdout=subprocess.DEVNULL)
    found = json.loads((folder / "found.json").read_text())
    wanted = model.predict(pixels.astype(np.float32) / 255, verbose=0)
    errors = [abs(guess["probability"] / row[int(guess["class"].split()[-1])] - 1)
              for image, row in zip(found, wanted) for guess in image["top"]]
    print(f"{label}: the five largest probabilities of {len(pixels)} images differ by at most "
          f"{max(errors):.1e} of themselves")
    return max(errors) <= LIMIT and len(errors) == 5 * len(pixels)


def train_keras(model, weights, data, seed, batch):
    """The losses of the first steps from `weights` on, each before its update."""
    dtype = model.compute_dtype
    compute_in(dtype)
    model.set_weights(weights)
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    losses = []
    for pixels, labels in batches(data, seed, batch, STEPS):
        x = pixels.permute(0, 2, 3, 1).numpy().astype(dtype) / 255
        losses.append(float(model.train_on_batch(x, labels.numpy())))
        model.reset_metrics()  # else a loss is the mean since the first
    return np.array(losses)


def main():
    options, program = parse_and_build(
        __doc__.splitlines()[0], "parity_systems",
        images=dict(type=int, default=1024, metavar="N",
                    help="choose the clearest among the first N images (default 1024)"))
    subprocess.run(["cmake", "--build", options.build, "--target", "alexnet"], check=True,
                   stdout=subprocess.DEVNULL)
    keras.utils.set_random_seed(options.seed)
    model = make_model()
    weights = model.get_weights()
    exact_model = make_model("float64")
    data = read_cifar10(options.data)
    tests = data[0][:IMAGES].permute(0, 2, 3, 1).contiguous().numpy()
    with tempfile.TemporaryDirectory(dir=options.build) as name:
        folder = pathlib.Path(name)
        good = compare_probabilities("initial weights", model, options, folder, tests)
        start_file = (folder / "model.safetensors").rename(folder / "start.safetensors")
        start = load(start_file)[1]

        def compare_steps(batch, clearest):
            """typenet's largest differences over change from Keras in float32 and in float64."""
            chosen, source = data, options.data
            if clearest:
                chosen = clearest_first(data, folder, start, options.seed, options.images, batch,
                                        STEPS)
                source = folder
            losses = run(program, "keras", start_file, folder / "ours", source, options.seed, STEPS,
                         batch)
            ours = losses, load(folder / "ours")[1]
            exact, floats = ((train_keras(m, weights, chosen, options.seed, batch),
                              load(convert(m, folder))[1]) for m in (exact_model, model))
            compare("Keras in float32 and in float64", floats, exact, start)
            return (compare("typenet and Keras in float32", ours, floats, start),
                    compare("typenet and Keras in float64", ours, exact, start))

        print(f"{STEPS} steps of Adam, seed {options.seed}, at batch 4 on any images:")
        compare_steps(4, False)
        good = compare_probabilities("after Keras's steps", model, options, folder, tests) and good
        print("at batch 4 on the clearest images:", flush=True)
        good = max(compare_steps(4, True)) <= CHANGE_LIMIT and good
        print("at batch 64 on the clearest images:", flush=True)
        good = compare_steps(64, True)[1] <= CHANGE_LIMIT and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
