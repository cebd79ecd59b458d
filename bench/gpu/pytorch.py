#!/usr/bin/env python3
"""PyTorch's side of bench/gpu/compare, which starts it.

    pytorch.py WORK PRECISION MODE

MODE is eager or compiled (torch.compile with CUDA graphs, "reduce-overhead"). Everything is in
channels_last, cuDNN chooses its algorithms by trying them, the optimizer is PyTorch's fused one, and
the input lies in the GPU's memory. The protocol is that of typenet.cu.
"""

import json
import pathlib
import re
import sys
import time

import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from compare_pytorch import LEARNING_RATE, AlexNet  # noqa: E402


def make_step(work, precision, mode):
    kind, batch = re.fullmatch(r"(infer|train)_b([1-9]\d*)", work).groups()
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    model = AlexNet().cuda().to(memory_format=torch.channels_last)
    samples = torch.rand(int(batch), 3, 227, 227, device="cuda").mul_(2).sub_(1)
    samples = samples.contiguous(memory_format=torch.channels_last)
    autocast = torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16")

    if kind == "infer":
        if precision == "bf16":  # weights that need no conversion at each step
            model, samples = model.bfloat16(), samples.bfloat16()
        model.eval()
        run = torch.compile(model, mode="reduce-overhead") if mode == "compiled" else model

        def step():
            with torch.inference_mode():
                run(samples).cpu()

        return step

    labels = torch.arange(samples.shape[0], device="cuda") % 10
    criterion = nn.CrossEntropyLoss()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, fused=True)

    def loss_of(samples, labels):
        with autocast:
            return criterion(model(samples), labels)

    run = torch.compile(loss_of, mode="reduce-overhead") if mode == "compiled" else loss_of

    def step():
        optimizer.zero_grad(set_to_none=True)
        run(samples, labels).backward()
        optimizer.step()

    return step


def main():
    work, precision, mode = sys.argv[1:]
    step = make_step(work, precision, mode)
    for _ in range(5):  # compiles, and lets cuDNN try its algorithms
        step()
    torch.cuda.synchronize()
    hello = {"version": torch.__version__, "cudnn": torch.backends.cudnn.version()}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - start) / steps
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
