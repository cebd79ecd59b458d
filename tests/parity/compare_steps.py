#!/usr/bin/python3
"""Trains AlexNet on CIFAR-10 for 100 steps with typenet and with PyTorch (Debian 12: python3-torch)
and compares them step by step; the exit code is 1 where they differ by more than the limits.

Both take the recipe of `alexnet train --rng torch` without dropout: batch 4, SGD with learning rate
0.001 and momentum 0.9, and draw weights and order from the same seed. PyTorch gets the pixels as
F.interpolate resizes them. PyTorch without oneDNN is compared with PyTorch as well: nothing is nearer
to it than it is to itself.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

from comparison import parse_and_build, read_cifar10
from make_goldens import alexnet_network, load

LOSS_LIMIT = 1e-5
CHANGE_LIMITS = {25: 1e-2, 100: 1e-1}  # by step


def forward(network, x):
    for name, layer in network.named_children():
        if name == "fc1":
            x = x.flatten(1)
        x = layer(x)
        if name != "fc3":
            x = F.relu(x)
        if name in ("cn1", "cn2", "cn5"):
            x = F.max_pool2d(x, 3, 2)
    return x


def snapshot(network):
    return {name: p.detach().numpy().copy() for name, p in network.named_parameters()}


def train_pytorch(pixels, labels, seed, onednn):
    torch.manual_seed(seed)
    network, _ = alexnet_network()
    weights, losses = {0: snapshot(network)}, []
    loader = torch.utils.data.DataLoader(range(len(labels)), batch_size=4, shuffle=True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    with torch.backends.mkldnn.flags(enabled=onednn):
        for step, indices in enumerate(loader, 1):
            x = F.interpolate(pixels[indices].float(), (227, 227), mode="bilinear")
            loss = F.cross_entropy(forward(network, (x / 255 - 0.5) / 0.5), labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if step in CHANGE_LIMITS:
                weights[step] = snapshot(network)
            if step == max(CHANGE_LIMITS):
                return np.array(losses), weights


def train_typenet(program, data, seed):
    steps = [0, *CHANGE_LIMITS]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, data, folder, str(seed), *map(str, steps)]
        output = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
        weights = {step: load(pathlib.Path(folder) / f"{step}.safetensors")[1] for step in steps}
    return np.array([float(line) for line in output.split()]), weights


def compare(label, ours, theirs):
    """Prints how far `ours` is from `theirs`; returns whether it is within the limits."""
    (losses, weights), (their_losses, their_weights) = ours, theirs
    same = all(np.array_equal(weights[0][name], their_weights[0][name]) for name in weights[0])
    print(f"{label}: initial weights {'the same bits' if same else 'DIFFER'}")
    errors = np.abs(losses / their_losses - 1)
    print(f"  loss: largest relative difference {errors.max():.1e} (step {errors.argmax() + 1})")
    good = same and errors.max() <= LOSS_LIMIT
    for step, limit in CHANGE_LIMITS.items():
        changes = {}
        for name, start in their_weights[0].items():
            change = np.linalg.norm((their_weights[step][name] - start).astype(np.float64))
            apart = weights[step][name].astype(np.float64) - their_weights[step][name]
            changes[name] = np.linalg.norm(apart) / change
        worst = max(changes, key=changes.get)
        median = np.median(list(changes.values()))
        print(f"  step {step}: difference over change at most {changes[worst]:.1e} ({worst}), "
              f"median of the tensors {median:.1e}")
        good = good and changes[worst] <= limit
    return good


def main():
    options, program = parse_and_build(__doc__.splitlines()[0], "parity_steps")

    ours = train_typenet(program, options.data, options.seed)
    pixels, labels = read_cifar10(options.data)
    theirs = train_pytorch(pixels, labels, options.seed, onednn=True)
    other = train_pytorch(pixels, labels, options.seed, onednn=False)
    print(f"seed {options.seed}: PyTorch's loss {theirs[0][0]:.6f} in step 1, "
          f"{theirs[0][-1]:.6f} in step {len(theirs[0])}")
    good = compare("typenet and PyTorch", ours, theirs)
    compare("typenet and PyTorch without oneDNN", ours, other)
    compare("PyTorch without oneDNN and with it", other, theirs)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
