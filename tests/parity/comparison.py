"""What the comparisons with PyTorch and Keras that are run by hand have in common."""

import argparse
import pathlib
import subprocess

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_and_build(description, target):
    """(options, the program `target`), of what these comparisons are given."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=pathlib.Path, help="folder with cifar-10-batches-bin")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="FOLDER",
                        help="a configured build of typenet (default build)")
    options = parser.parse_args()
    subprocess.run(["cmake", "--build", options.build, "--target", target], check=True,
                   stdout=subprocess.DEVNULL)
    return options, options.build / "tests/parity" / target


def read_cifar10(folder):
    """Pixels [n, 3, 32, 32] and labels of the training images."""
    files = [folder / f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)]
    records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
    return torch.tensor(records[:, 1:].reshape(-1, 3, 32, 32)), torch.tensor(records[:, 0]).long()


def batches(data, seed, size, steps):
    """(pixels [n, 3, 32, 32], labels) of the first steps, as a shuffling DataLoader gives them."""
    pixels, labels = data
    torch.manual_seed(seed)
    loader = torch.utils.data.DataLoader(range(len(labels)), batch_size=size, shuffle=True)
    for _, indices in zip(range(steps), loader):
        yield pixels[indices], labels[indices]


def run(program, *arguments):
    command = [program, *map(str, arguments)]
    output = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    return [float(line) for line in output.split()]


def differences(ours, theirs, start):
    """(largest relative difference of the losses, {tensor: difference over its change})."""
    losses = np.abs(np.array(ours[0]) / theirs[0] - 1).max()
    changes = {}
    for name, initial in start.items():
        change = np.linalg.norm(theirs[1][name].astype(np.float64) - initial)
        if change > 0:
            apart = ours[1][name].astype(np.float64) - theirs[1][name]
            changes[name] = np.linalg.norm(apart) / change
    return losses, changes


def report(label, losses, changes):
    """Prints what differences() gave; returns the largest difference over change."""
    worst = max(changes, key=changes.get)
    print(f"  {label}: loss {losses:.1e}, difference over change at most {changes[worst]:.1e} "
          f"({worst}), median of the tensors {np.median(list(changes.values())):.1e}")
    return changes[worst]


def compare(label, ours, theirs, start):
    """Prints how far `ours` is from `theirs`; returns the largest difference over change."""
    return report(label, *differences(ours, theirs, start))
