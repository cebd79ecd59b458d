#!/usr/bin/python3
"""make_alexnet.py FOLDER: torchvision's AlexNet (Debian 12's python3-torchvision) with weights drawn
by Kaiming's rule, as alexnet.pth and, written by hand, as alexnet.safetensors; 16 photos of various
sizes, drawn by a formula, as PNG, JPEG and PPM; and the network's logits of each, on the whole way
that torchvision prepares photos, as logits.safetensors (logits F32 [16, 1000])."""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torchvision
from PIL import Image

SIZES = [(224, 224), (256, 256), (300, 400), (400, 300), (64, 64), (1000, 333), (227, 500),
         (57, 1000), (512, 512), (33, 20), (600, 450), (256, 340), (340, 256), (255, 257),
         (720, 1280), (97, 103)]


def photo(index, height, width):
    """Waves of colour with noise on them."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    pixels = np.stack([np.sin(x * (0.01 + 0.013 * index) + y * 0.02 * (channel + 1) + index)
                       for channel in range(3)], axis=-1) * 90 + 128
    noise = np.arange(height * width * 3, dtype=np.uint64) * 2654435761 % 2**32 >> 24
    pixels += (noise.reshape(height, width, 3).astype(np.float64) - 128) / 8
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def save_safetensors(tensors, path):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        size = tensor.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.numpy().tobytes())


def main(folder):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = torchvision.models.alexnet(weights=None).eval()
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    torch.save(network.state_dict(), folder / "alexnet.pth")
    save_safetensors(network.state_dict(), folder / "alexnet.safetensors")

    # torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms(), which only needs no download.
    prepare = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms()
    logits = []
    for index, (height, width) in enumerate(SIZES):
        path = folder / f"{index:02}.{('png', 'jpg', 'ppm')[index % 3]}"
        photo(index, height, width).save(path)
        with Image.open(path) as image, torch.no_grad():
            logits.append(network(prepare(image.convert("RGB")).unsqueeze(0)))
    save_safetensors({"logits": torch.cat(logits)}, folder / "logits.safetensors")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
