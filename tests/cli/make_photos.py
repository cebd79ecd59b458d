#!/usr/bin/python3
"""Writes photos/ with Pillow 9.4 (Debian 12's python3-pil): small images of every kind that is
read, and as photos.safetensors (U8 [height, width, 3]) what Pillow's convert("RGB") makes of them."""

import json
import pathlib
import struct

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).parent / "photos"


def picture():
    y, x = np.mgrid[0:19, 0:30]
    waves = [128 + 120 * np.sin(0.3 * x + 0.2 * y * (channel + 1)) for channel in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


def main():
    FOLDER.mkdir(exist_ok=True)
    image = picture()
    transparent = image.copy()
    transparent.putalpha(Image.fromarray((np.indices((19, 30)).sum(0) * 5).astype(np.uint8)))
    images = {
        "rgb.png": (image, {}), "transparent.png": (transparent, {}),
        "grey.png": (image.convert("L"), {}), "palette.png": (image.quantize(16), {}),
        "bit.png": (image.convert("1"), {}),
        "colour.jpg": (image, {"quality": 80}), "full.jpg": (image, {"subsampling": 0}),
        "grey.jpg": (image.convert("L"), {}), "progressive.jpg": (image, {"progressive": True}),
        "rgb.ppm": (image, {}), "grey.pgm": (image.convert("L"), {}),
    }
    pixels = {}
    for name, (content, options) in images.items():
        content.save(FOLDER / name, **options)
        with Image.open(FOLDER / name) as read:
            pixels[name] = np.asarray(read.convert("RGB"))
    image.convert("CMYK").save(FOLDER / "cmyk.jpg")  # is refused

    header, data = {}, b""
    for name, values in pixels.items():
        content = values.tobytes()
        header[name] = {"dtype": "U8", "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    (FOLDER / "photos.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
