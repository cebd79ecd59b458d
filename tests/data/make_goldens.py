#!/usr/bin/python3
"""Writes goldens/photos.safetensors with Pillow 9.4 and torchvision 0.14 (Debian 12's python3-pil
and python3-torchvision): small photos, resized and prepared for a network.

NAME.photo is U8 [height, width, 3]; NAME.H.W the same resized; NAME.prepared.S.C (F32 [3, C, C]) is
Resize(S), CenterCrop(C), ToTensor and Normalize by ImageNet's statistics."""

import json
import pathlib
import struct

import numpy as np
from PIL import Image
from torchvision import transforms

PATH = pathlib.Path(__file__).parent / "goldens" / "photos.safetensors"
SIZES = {"wide": (11, 23), "tall": (37, 8), "square": (16, 16), "dot": (1, 1), "row": (1, 9)}
RESIZED = [(16, 16), (5, 7), (23, 11), (1, 1), (40, 3), (8, 37)]
PREPARED = [(16, 16), (16, 11), (16, 13), (7, 4)]  # margins of 0, 2.5, 1.5 and 1.5 pixels


def photo(height, width):
    """Whole range, edges and noise, and no generator to seed."""
    index = np.arange(height * width * 3, dtype=np.uint64)
    noise = (index * 2654435761 % 2**32 >> 13) % 256
    return np.where(index % 7 < 2, index % 2 * 255, noise).astype(np.uint8).reshape(height, width, 3)


def prepare(image, shorter, crop):
    return transforms.Compose([
        transforms.Resize(shorter), transforms.CenterCrop(crop), transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])(image).numpy()


def main():
    tensors = {}
    for name, size in SIZES.items():
        pixels = photo(*size)
        image = Image.fromarray(pixels)
        tensors[name + ".photo"] = pixels
        for height, width in RESIZED:
            tensors[f"{name}.{height}.{width}"] = np.asarray(
                image.resize((width, height), Image.BILINEAR))
        for shorter, crop in PREPARED:
            tensors[f"{name}.prepared.{shorter}.{crop}"] = prepare(image, shorter, crop)
    header, data = {}, b""
    for name, values in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        content = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": {"uint8": "U8", "float32": "F32"}[values.dtype.name],
                        "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
