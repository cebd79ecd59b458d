"""What the comparisons with PyTorch and Keras that are run by hand have in common."""

import argparse
import pathlib
import subprocess

import numpy as np
import torch

from make_goldens import clearest_images, keras_network

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_and_build(description, target, **more):
    """(options, the program `target`), of what these comparisons are given. `more` options are
    add_argument's keywords by name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=pathlib.Path, help="folder with cifar-10-batches-bin")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="FOLDER",
                        help="a configured build of typenet (default build)")
    for name, keywords in more.items():
        parser.add_argument(f"--{name}", **keywords)
    options = parser.parse_args()
    subprocess.run(["cmake", "--build", options.build, "--target", target], check=True,
                   stdout=subprocess.DEVNULL)
    return options, options.build / "tests/parity" / target


def read_cifar10(folder):
    """Pixels [n, 3, 32, 32] and labels of the training images."""
    files = [folder / f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)]
    records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
    return torch.tensor(records[:, 1:].reshape(-1, 3, 32, 32)), torch.tensor(records[:, 0]).long()


def write_cifar10(folder, data):
    """The training images in the data set's own layout, as read_cifar10() and typenet read them."""
    pixels, labels = data
    records = torch.cat([labels.to(torch.uint8)[:, None], pixels.flatten(1)], 1).numpy()
    inner = folder / "cifar-10-batches-bin"
    inner.mkdir(exist_ok=True)
    for i, part in enumerate(np.split(records, 5), 1):
        part.tofile(inner / f"data_batch_{i}.bin")


def batches(data, seed, size, steps):
    """(pixels [n, 3, 32, 32], labels) of the first steps, as a shuffling DataLoader gives them."""
    pixels, labels = data
    torch.manual_seed(seed)
    loader = torch.utils.data.DataLoader(range(len(labels)), batch_size=size, shuffle=True)
    for _, indices in zip(range(steps), loader):
        yield pixels[indices], labels[indices]


def clearest_first(data, folder, weights, seed, of, size, steps):
    """The data set in another order, written to `folder` too: batches() gives those of its first `of`
    images that the Keras recipe's network decides most clearly in each step from `weights` on,
    {Keras's name: array} in PyTorch's layouts."""
    pixels, labels = data
    network, names = keras_network()
    network.double()
    for name, parameter in network.named_parameters():
        parameter.data.copy_(torch.tensor(weights[names[name]]))
    chosen, margin = clearest_images(network, pixels.__getitem__, labels.__getitem__, range(of), size,
                                     steps)
    print(f"  the {len(chosen)} of {of} images that are decided most clearly: no decision is nearer than "
          f"{margin:.1e} standard deviations of its layer to falling the other way")
    order = torch.arange(len(labels))
    places = torch.cat([part for part, _ in batches((order, order), seed, size, steps)])
    for place, image in zip(places, chosen):
        order[order == image] = order[place].clone()
        order[place] = image
    data = pixels[order], labels[order]
    write_cifar10(folder, data)
    return data


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
