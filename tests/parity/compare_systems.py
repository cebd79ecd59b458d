#!/usr/bin/python3
"""Compares whole systems with PyTorch and torchvision (Debian 12: python3-torch, python3-torchvision);
the exit code is 1 where they differ by more than the limits.

logits    torchvision's AlexNet with weights by Kaiming's rule, from a .pth and from a safetensors
          file: logits of 16 photos of various sizes, from the file on.
finetune  the same with frozen features and PyTorch's initial linear layers: 20 steps at batch 4 of
          SGD on CIFAR-10, in PyTorch's order, without dropout.
keras     the Keras recipe's network: three steps of Adam, without dropout, likewise, from eight
          seeds at batch 4 and from one at the recipe's 64, beside PyTorch in float64. Adam's first
          steps are little but the signs of gradients, and a ReLU or a max pool that a rounding
          decides otherwise turns many: on any images a float may be near float64 from one seed and
          far from the next. So there are two limits: on the images that are decided most clearly
          (chosen by the network in float64 alone) each tensor is within the same limit as above;
          on any images typenet's median is below those of PyTorch's own floats.
"""

import pathlib
import sys
import tempfile

import numpy as np
import torch
import torchvision
from PIL import Image

import make_goldens
from comparison import (ROOT, batches, clearest_first, compare, differences, parse_and_build,
                        read_cifar10, report, run)
from make_goldens import KerasAdam, keras_input, keras_network, load

sys.path.append(str(ROOT / "tests/cli"))
from make_alexnet import main as make_alexnet, save_safetensors  # noqa: E402

LOGIT_LIMIT = 1e-4
CHANGE_LIMIT = 1e-2
PREPARE = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms()


def train(network, parameters, optimizer, inputs):
    """(losses, {name: array}) after a step for each (input, labels)."""
    losses = make_goldens.train(network, optimizer, inputs)
    return losses.numpy(), {name: p.detach().numpy().copy() for name, p in parameters.items()}


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


def rounded(x):
    return x.float().to(x.dtype)


def compare_keras(program, folder, data_folder, data, seed, batch, clearest, steps=3):
    """[(who, losses' difference, {tensor: difference over change})] from PyTorch in float64, on the
    first batches of the data set, or of those images that the network decides most clearly."""
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
    if clearest:
        data = clearest_first(data, folder, start, seed, 16 * batch, batch, steps)
        data_folder = folder

    def train_pytorch(dtype, onednn, each=lambda x: x):
        """`each` makes what is kept of the inputs and of each layer's values."""
        def forward(x):
            x = each(x)
            for layer in network:
                x = each(layer(x))
            return x

        network.to(dtype)
        for name, parameter in network.named_parameters():
            parameter.data.copy_(initial[name])
        parameters = {names[name]: p for name, p in network.named_parameters()}
        inputs = ((keras_input(pixels, dtype), labels)
                  for pixels, labels in batches(data, seed, batch, steps))
        with torch.backends.mkldnn.flags(enabled=onednn):
            return train(forward, parameters, KerasAdam(network.parameters(), 1e-4), inputs)

    losses = run(program, "keras", folder / "start", folder / "found", data_folder, seed, steps,
                 batch)
    found = [("typenet", (losses, load(folder / "found")[1])),
             ("PyTorch with oneDNN", train_pytorch(torch.float32, True)),
             ("PyTorch without", train_pytorch(torch.float32, False)),
             ("float64, each layer rounded", train_pytorch(torch.float64, False, rounded))]
    exact = train_pytorch(torch.float64, False)
    return [(who, *differences(ours, exact, start)) for who, ours in found]


def check_keras(program, folder, data_folder, data, seed):
    good = True
    for clearest in (True, False):
        images = "the images that it decides most clearly" if clearest else "any images"
        print(f"Keras recipe, 3 steps of Adam on {images}, batch 4: largest difference over change, "
              "from PyTorch in float64")
        largest = {}
        for s in range(seed, seed + 8):
            for who, _, changes in compare_keras(program, folder, data_folder, data, s, 4, clearest):
                largest.setdefault(who, []).append(max(changes.values()))
            print(f"  seed {s}: " + ", ".join(f"{who} {values[-1]:.1e}"
                                              for who, values in largest.items()), flush=True)
        medians = {who: np.median(values) for who, values in largest.items()}
        for who, values in largest.items():
            within = sum(value <= CHANGE_LIMIT for value in values)
            print(f"  {who}: median {medians[who]:.1e}, {within} of {len(values)} seeds within "
                  f"{CHANGE_LIMIT}")
        print(f"the same at batch 64, seed {seed}")
        for who, *found in compare_keras(program, folder, data_folder, data, seed, 64, clearest):
            largest[who].append(report(who, *found))
        if clearest:
            good = max(largest["typenet"]) <= CHANGE_LIMIT
        else:
            good = good and all(medians["typenet"] < medians[who] for who in medians
                                if who.startswith("PyTorch"))
    return good


def main():
    options, program = parse_and_build(__doc__.splitlines()[0], "parity_systems")
    data = read_cifar10(options.data)
    with tempfile.TemporaryDirectory(dir=options.build) as name:
        folder = pathlib.Path(name)
        good = check_logits(program, folder)
        good = check_finetune(program, folder, options.data, data, options.seed) and good
        good = check_keras(program, folder, options.data, data, options.seed) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
