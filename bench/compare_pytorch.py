#!/usr/bin/python3
"""PyTorch's side of bench/compare, which starts it.

    compare_pytorch.py WORK THREADS CONFIGURATION

CONFIGURATION is a memory format, nchw or channels_last, and options that may pay: +jit (inference:
TorchScript, frozen and optimised), +set_to_none (training: gradients are dropped before a step, not
set to zero), +fused (the optimizer updates in one kernel; PyTorch 2.4), +compiled (torch.compile, in
inference with frozen weights; PyTorch 2). Behind a work's name, _bf16 means bfloat16: weights and
values in inference, automatic mixed precision in training. The protocol is that of protocol.hpp.
"""

import json
import re
import subprocess
import sys
import time

import torch
from torch import nn

PARAMETER_COUNT = 58_322_314
LEARNING_RATE = 1e-3


class AlexNet(nn.Module):
    """The network of typenet's models/alexnet.hpp."""

    def __init__(self):
        super().__init__()
        self.cn1 = nn.Conv2d(3, 96, 11, stride=4)
        self.cn2 = nn.Conv2d(96, 256, 5, padding=2)
        self.cn3 = nn.Conv2d(256, 384, 3, padding=1)
        self.cn4 = nn.Conv2d(384, 384, 3, padding=1)
        self.cn5 = nn.Conv2d(384, 256, 3, padding=1)
        self.fc1 = nn.Linear(9216, 4096)
        self.fc2 = nn.Linear(4096, 4096)
        self.fc3 = nn.Linear(4096, 10)
        self.pool = nn.MaxPool2d(3, 2)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout()

    def forward(self, x):
        x = self.pool(self.relu(self.cn1(x)))
        x = self.pool(self.relu(self.cn2(x)))
        x = self.relu(self.cn3(x))
        x = self.relu(self.cn4(x))
        x = self.pool(self.relu(self.cn5(x)))
        x = torch.flatten(x, 1)
        x = self.relu(self.dropout(self.fc1(x)))
        x = self.relu(self.dropout(self.fc2(x)))
        return self.fc3(x)


def inference_step(model, samples, options):
    model.eval()
    if "jit" in options:
        model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(model)))
    if "compiled" in options:
        model = torch.compile(model, options={"freezing": True})

    def step():
        with torch.inference_mode():
            model(samples)

    return step


def training_step(model, samples, optimizer_name, options, bf16):
    model.train()
    labels = torch.arange(samples.shape[0]) % 10
    criterion = nn.CrossEntropyLoss()
    more = {"fused": True} if "fused" in options else {}
    if optimizer_name == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, **more)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, **more)
    if "compiled" in options:
        model = torch.compile(model)
    # Zeroing was the default before PyTorch 2, dropping has been since.
    set_to_none = "set_to_none" in options

    def step():
        optimizer.zero_grad(set_to_none=set_to_none)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs = model(samples)
        criterion(outputs.float(), labels).backward()
        optimizer.step()

    return step


def version():
    """Debian's package calls itself 1.13.0a0 whatever it is, so its package is asked."""
    if not torch.__file__.startswith("/usr/lib/python3/dist-packages/"):
        return torch.__version__
    query = ["dpkg-query", "--show", "--showformat=${Version}", "python3-torch"]
    return subprocess.run(query, check=True, text=True, stdout=subprocess.PIPE).stdout


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s*(\d+)", status.read())[1]) * 1024


def make_step(work, configuration):
    kind, batch, bf16 = re.fullmatch(r"(infer|train_sgd|train_adam)_b([1-9]\d*)(_bf16)?",
                                     work).groups()
    memory_format, *options = configuration.split("+")
    memory_format = {
        "nchw": torch.contiguous_format,
        "channels_last": torch.channels_last,
    }[memory_format]
    torch.manual_seed(1)
    model = AlexNet().to(memory_format=memory_format)
    assert sum(p.numel() for p in model.parameters()) == PARAMETER_COUNT
    samples = torch.rand(int(batch), 3, 227, 227).mul_(2).sub_(1)
    samples = samples.contiguous(memory_format=memory_format)
    if kind == "infer":
        dtype = torch.bfloat16 if bf16 else torch.float32
        return inference_step(model.to(dtype), samples.to(dtype), options)
    return training_step(model, samples, kind.removeprefix("train_"), options, bool(bf16))


def main():
    work, threads, configuration = sys.argv[1:]
    torch.set_num_threads(int(threads))
    step = make_step(work, configuration)
    capability = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    hello = {"name": "PyTorch", "version": version(),
             "detail": capability[1].lower() if capability else ""}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
