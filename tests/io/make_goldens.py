#!/usr/bin/python3
"""Writes goldens/*.pth with PyTorch 1.13.1 (Debian 12's python3-torch), and goldens/*.safetensors,
by hand, with the same tensors in C order. The tests of io/pth.hpp compare the two."""

import collections
import json
import pathlib
import struct

import torch

GOLDENS = pathlib.Path(__file__).parent / "goldens"
DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
          torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
          torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64"}


def bytes_of(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.dtype == torch.bfloat16:  # numpy knows none
        flat = flat.view(torch.int16)
    return flat.numpy().tobytes()


def save_safetensors(tensors, path):
    header, data = {}, b""
    for name, tensor in tensors.items():
        content = bytes_of(tensor)
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def ramp(*shape, dtype=torch.float32):
    return (torch.arange(torch.Size(shape).numel(), dtype=torch.float32) / 4 - 1).reshape(shape).to(dtype)


def network():
    net = torch.nn.Sequential(collections.OrderedDict(
        conv=torch.nn.Conv2d(2, 3, 2), norm=torch.nn.BatchNorm2d(3), fc=torch.nn.Linear(4, 2)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(ramp(*parameter.shape))
    return net


def views():
    base = ramp(6, 4)
    return {
        "transposed": base.t(),
        "rows": base[2:4],
        "columns": base[:, 1:3],
        "every_other": base[::2, ::2],
        "shared": base,
        "channels_last": ramp(2, 3, 2, 2).to(memory_format=torch.channels_last),
        "scalar": torch.tensor(0.5),
        "empty": torch.zeros(0, 3),
        "one": ramp(1, 1, 2).transpose(0, 1),
        "parameter": torch.nn.Parameter(ramp(3)),
        "buffer": torch.nn.Parameter(ramp(2), requires_grad=False),
        "größe": ramp(2),
        **{str(dtype).split(".")[1]: ramp(5, dtype=dtype) for dtype in DTYPES},
        "double_transposed": ramp(2, 3, dtype=torch.float64).t(),
    }


def main():
    GOLDENS.mkdir(exist_ok=True)
    state = network().state_dict()
    torch.save(state, GOLDENS / "state.pth")
    save_safetensors(state, GOLDENS / "state.safetensors")
    torch.save(views(), GOLDENS / "views.pth")
    save_safetensors(views(), GOLDENS / "views.safetensors")

    small = {"a": ramp(2, 2).t(), "b": ramp(3)}
    torch.save(small, GOLDENS / "small.pth")
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net.fc(ramp(1, 4)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "loss": 0.25, "best": None, "done": True, "seed": 2**40 + 1,
                "history": [1, -2, 300, 70000], "state_dict": state,
                "optimizer": optimizer.state_dict()}, GOLDENS / "checkpoint.pth")

    torch.save({"layer.weight": ramp(2, 4).t().contiguous().t(), "layer.bias": ramp(2)}, GOLDENS / "linear.pth")

    # What is refused.
    torch.save(torch.nn.Linear(2, 2), GOLDENS / "module.pth")
    torch.save(small, GOLDENS / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(GOLDENS / "script.pth"))
    torch.save({"a": ramp(1).expand(1000)}, GOLDENS / "expanded.pth")
    torch.save({"model": small, "average": small}, GOLDENS / "several.pth")
    torch.save([ramp(2)], GOLDENS / "list.pth")
    torch.save({"a": ramp(2), "epoch": 3}, GOLDENS / "mixed.pth")
    torch.save({"a": ramp(2), 7: ramp(2)}, GOLDENS / "number_as_name.pth")
    torch.save({"a": torch.sparse_coo_tensor([[0]], [1.0], (2,))}, GOLDENS / "sparse.pth")
    torch.save({"a": torch.zeros(1, dtype=torch.complex128)}, GOLDENS / "complex128.pth")
    torch.save(small, GOLDENS / "protocol4.pth", pickle_protocol=4)


if __name__ == "__main__":
    main()
