#!/usr/bin/python3
"""Compares whole systems with PyTorch and torchvision (Debian 12: python3-torch, python3-torchvision);
the exit code is 1 where they differ by more than the limits.

logits    torchvision's AlexNet with weights by Kaiming's rule, from a .pth and from a safetensors
          file: logits of 16 photos of various sizes, from the file on.
finetune  the same with frozen features and PyTorch's initial linear layers: 20 steps at batch 4 of
          SGD on CIFAR-10, in PyTorch's order, without dropout.
keras     the Keras recipe's network: three steps of Adam at batch 64, without dropout, likewise.
          Adam's first steps are little but the signs of gradients, and signs near 0 are a matter of
          rounding: PyTorch in float64 tells whose roundings these are. No limit is set here (the
          tests set one on a narrow network).
"""

import pathlib
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image

from comparison import ROOT, batches, compare, parse_and_build, read_cifar10, run
from make_goldens import KerasAdam, keras_input, keras_network, load

sys.path.append(str(ROOT / "tests/cli"))
from make_alexnet import main as make_alexnet, save_safetensors  # noqa: E402

LOGIT_LIMIT = 1e-4
CHANGE_LIMIT = 1e-2
PREPARE = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms()


def train(network, parameters, optimizer, inputs):
    """(losses, {name: array}) after a step for each (input, labels)."""
    losses = []
    for x, labels in inputs:
        loss = F.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), {name: p.detach().numpy().copy() for name, p in parameters.items()}


def check_logits(program, folder):
    make_alexnet(folder)
    photos = sorted(path for path in folder.iterdir() if path.name[0].isdigit())
    wanted = load(folder / "logits.safetensors")[1]["logits"]
    good = True
    for weights in ("alexnet.pth", "alexnet.safetensors"):
        run(program, "logits", folder / weights, folder / "found", *photos)
        found = load(folder / "found")[1]["logits"]
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        print(f"logits of {len(photos)} photos with {weights}: largest error {error:.1e}")
        good = good and len(photos) == 16 and error <= LOGIT_LIMIT
    return good


def check_finetune(program, folder, data_folder, data, seed, steps=20):
    torch.manual_seed(seed)
    network = torchvision.models.alexnet(num_classes=10).eval()  # dropout is idle
    for module in network.features.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    for parameter in network.features.parameters():
        parameter.requires_grad = False
    parameters = dict(network.named_parameters())
    start = {name: p.detach().numpy().astype(np.float64) for name, p in parameters.items()}
    torch.save(network.state_dict(), folder / "start.pth")
    losses = run(program, "finetune", folder / "start.pth", folder / "found", data_folder, seed,
                 steps)
    ours = losses, load(folder / "found")[1]

    def inputs():
        for pixels, labels in batches(data, seed, 4, steps):
            images = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in pixels]
            yield torch.stack([PREPARE(image) for image in images]), labels

    optimizer = torch.optim.SGD(network.classifier.parameters(), lr=0.001, momentum=0.9)
    theirs = train(network, parameters, optimizer, inputs())
    print(f"fine-tuning, {steps} steps, seed {seed}: loss {losses[0]:.4f} to {losses[-1]:.4f}")
    frozen = all(np.array_equal(ours[1][name], theirs[1][name])
                 for name in parameters if name.startswith("features."))
    print(f"  frozen tensors: {'the same bits' if frozen else 'DIFFER'}")
    return compare("typenet and PyTorch", ours, theirs, start) <= CHANGE_LIMIT and frozen


def check_keras(program, folder, data_folder, data, seed, steps=3):
    torch.manual_seed(seed)
    network, names = keras_network()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
        else:
            torch.nn.init.zeros_(parameter)
    initial = {name: p.detach().clone() for name, p in network.named_parameters()}
    save_safetensors({names[name]: p for name, p in initial.items()}, folder / "start")
    start = {names[name]: p.double().numpy() for name, p in initial.items()}
    losses = run(program, "keras", folder / "start", folder / "found", data_folder, seed, steps)
    ours = losses, load(folder / "found")[1]

    def train_pytorch(dtype, onednn):
        network.to(dtype)
        for name, parameter in network.named_parameters():
            parameter.data.copy_(initial[name])
        parameters = {names[name]: p for name, p in network.named_parameters()}
        inputs = ((keras_input(pixels, dtype), labels)
                  for pixels, labels in batches(data, seed, 64, steps))
        with torch.backends.mkldnn.flags(enabled=onednn):
            return train(network, parameters, KerasAdam(network.parameters(), 1e-4), inputs)

    exact = train_pytorch(torch.float64, False)
    with_onednn = train_pytorch(torch.float32, True)
    without = train_pytorch(torch.float32, False)
    print(f"Keras recipe, {steps} steps of Adam, seed {seed}: loss {losses[0]:.4f} to "
          f"{losses[-1]:.4f}")
    compare("typenet and PyTorch in float64", ours, exact, start)
    compare("PyTorch in float32 and in float64", with_onednn, exact, start)
    compare("PyTorch without oneDNN and in float64", without, exact, start)
    compare("typenet and PyTorch in float32", ours, with_onednn, start)
    compare("PyTorch without oneDNN and with it", without, with_onednn, start)


def main():
    options, program = parse_and_build(__doc__.splitlines()[0], "parity_systems")
    data = read_cifar10(options.data)
    with tempfile.TemporaryDirectory(dir=options.build) as name:
        folder = pathlib.Path(name)
        good = check_logits(program, folder)
        good = check_finetune(program, folder, options.data, data, options.seed) and good
        check_keras(program, folder, options.data, data, options.seed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
