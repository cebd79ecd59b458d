#!/usr/bin/python3
"""Makes the goldens of the parity tests with PyTorch 1.13.1 (Debian 12: python3-torch, and
python3-torchvision for systems.safetensors).

    make_goldens.py               write goldens/*.safetensors
    make_goldens.py --check       make them again in a temporary folder and compare with goldens/
    make_goldens.py --float32     how far PyTorch's own float32 is from the goldens
    make_goldens.py --margins A B the margins of the AlexNet case for the inputs A, A+1, ... B-1

Everything is computed in float64 on one thread from values of a hash; only torch_generator.safetensors
holds what PyTorch draws. README.md describes the content of each file.
"""

import argparse
import json
import os
import pathlib
import struct
import sys
import tempfile
import zlib

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.backends.mkldnn.enabled = False  # it has no float64; off for --float32 as well

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 1e-6  # of --check: another BLAS or processor may sum in another order


# Values ------------------------------------------------------------------------------------------


def mix(h):
    """The 32-bit finalizer of MurmurHash3 (Austin Appleby, public domain), on uint32 arrays."""
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x85EBCA6B)
    h = h ^ (h >> np.uint32(13))
    h = h * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def hash_values(tensor, count):
    """uint32 hashes of the element indices 0..count-1 of the tensor with this number."""
    seed = mix(np.array([(tensor * 40503 + 1) & 0xFFFFFFFF], np.uint32))
    return mix(np.arange(count, dtype=np.uint32) * np.uint32(2654435761) ^ seed)


def uniform(tensor, shape, scale):
    """float32 values in [-scale, scale): exact up to the one rounding of the product."""
    h = hash_values(tensor, int(np.prod(shape)))
    signed = (h >> np.uint32(8)).astype(np.int32) - np.int32(1 << 23)
    unit = signed.astype(np.float32) * np.float32(2.0**-23)
    return (unit * np.float32(scale)).reshape(shape)


def grid(name, shape, bound=2, step=1 / 64):
    """float64 multiples of step in [-bound, bound); exact in float32 too, with ties and zeros."""
    h = hash_values(zlib.crc32(name.encode()), int(np.prod(shape)))
    cells = (h >> np.uint32(8)).astype(np.float64) * 2.0**-24 * (2 * bound / step)
    return (np.floor(cells) * step - bound).reshape(shape)


# Files -------------------------------------------------------------------------------------------

DTYPES = {"float64": "F64", "int64": "I64", "float32": "F32"}
NUMPY = {"F64": "<f8", "I64": "<i8", "F32": "<f4"}


class Golden:
    """The tensors and metadata of one safetensors file."""

    def __init__(self):
        self.tensors, self.metadata = {}, {}

    def add(self, name, values):
        if isinstance(values, torch.Tensor):
            values = values.detach().numpy()
        assert name not in self.tensors and values.dtype.name in DTYPES, name
        self.tensors[name] = np.array(values, order="C")

    def describe(self, case, **attributes):
        self.metadata[case] = json.dumps(attributes)

    def save(self, path):
        header, blobs, offset = {"__metadata__": self.metadata}, [], 0
        for name, values in sorted(self.tensors.items(), key=lambda item: -item[1].itemsize):
            dtype = DTYPES[values.dtype.name]
            blob = values.astype(NUMPY[dtype]).tobytes()
            span = [offset, offset + len(blob)]
            header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": span}
            blobs.append(blob)
            offset += len(blob)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load(path):
    """(metadata, {name: array}) of a safetensors file with the types of DTYPES."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    metadata, tensors = header.pop("__metadata__", {}), {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], NUMPY[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return metadata, tensors


# layers.safetensors ------------------------------------------------------------------------------


def layers(dtype):
    golden = Golden()

    def case(name, function, attributes, **inputs):
        """Runs function(input[, weight, bias]) forward and backward, and records it all."""
        leaves = {
            key: torch.tensor(values, dtype=dtype, requires_grad=True)
            for key, values in inputs.items()
        }
        output = function(**leaves)
        grad_output = grid(name + ".grad_output", output.shape)
        output.backward(torch.tensor(grad_output, dtype=dtype))
        for key, values in inputs.items():
            golden.add(f"{name}.{key}", values)
        golden.add(f"{name}.output", output)
        golden.add(f"{name}.grad_output", grad_output)
        for key, leaf in leaves.items():
            golden.add(f"{name}.grad_{key}", leaf.grad)
        golden.describe(name, **attributes)

    def weights(name, shape):
        return dict(
            weight=grid(name + ".weight", shape, bound=0.5, step=1 / 256),
            bias=grid(name + ".bias", shape[:1], bound=1),
        )

    def conv2d(name, shape, out_channels, kernel, stride=1, padding=(0, 0), groups=1):
        """padding: (height, width), or "same" (Keras: what is odd goes below and to the right)."""
        attributes = dict(
            layer="conv2d", out_channels=out_channels, kernel=kernel, stride=[stride, stride]
        )
        if padding == "same":
            before, after = [], []
            for size, k in zip(shape[2:], kernel):
                total = max((-(-size // stride) - 1) * stride + k - size, 0)
                before.append(total // 2)
                after.append(total - total // 2)
            attributes.update(padding="same", pad_before=before, pad_after=after)
        else:
            before = after = list(padding)
            attributes.update(padding=before)
        border = (before[1], after[1], before[0], after[0])

        def run(input, weight, bias):
            return F.conv2d(F.pad(input, border), weight, bias, stride=stride, groups=groups)

        attributes.update(groups=groups)
        weight_shape = (out_channels, shape[1] // groups, *kernel)
        case(name, run, attributes, input=grid(name, shape), **weights(name, weight_shape))

    conv2d("conv2d_k3p1", (2, 3, 7, 9), 5, [3, 3], padding=(1, 1))
    conv2d("conv2d_k5p2", (2, 4, 7, 9), 6, [5, 5], padding=(2, 2))
    conv2d("conv2d_k11s4", (2, 3, 23, 23), 8, [11, 11], stride=4)
    conv2d("conv2d_k3s2p1", (2, 2, 17, 15), 4, [3, 3], stride=2, padding=(1, 1))
    conv2d("conv2d_k3s2_floor", (2, 3, 8, 10), 4, [3, 3], stride=2)
    conv2d("conv2d_k1", (2, 5, 6, 5), 7, [1, 1])
    conv2d("conv2d_k3p1_groups2", (2, 6, 7, 6), 8, [3, 3], padding=(1, 1), groups=2)
    conv2d("conv2d_k4_same", (2, 3, 7, 8), 5, [4, 4], padding="same")
    conv2d("conv2d_k3s2_same", (2, 3, 10, 9), 5, [3, 3], stride=2, padding="same")
    conv2d("conv2d_k3x5", (2, 3, 8, 7), 4, [3, 5])
    conv2d("conv2d_k3x5_p1x2", (2, 3, 8, 7), 4, [3, 5], padding=(1, 2))
    conv2d("conv2d_k3p1_19_to_21", (2, 19, 5, 7), 21, [3, 3], padding=(1, 1))
    conv2d("conv2d_k3p1_32_to_48", (2, 32, 5, 4), 48, [3, 3], padding=(1, 1))

    def linear(name, batch, inputs, outputs):
        attributes = dict(layer="linear", in_features=inputs, out_features=outputs)
        input = grid(name, (batch, inputs))
        case(name, F.linear, attributes, input=input, **weights(name, (outputs, inputs)))

    linear("linear_19_to_7", 3, 19, 7)
    linear("linear_33_to_17", 5, 33, 17)

    case("relu", F.relu, dict(layer="relu"), input=grid("relu", (2, 3, 5, 7), step=1 / 4))

    def max_pool2d(name, input, kernel, stride, padding=0, relu=False):
        def run(input):
            return F.max_pool2d(F.relu(input) if relu else input, kernel, stride, padding)

        attributes = dict(
            layer="relu+max_pool2d" if relu else "max_pool2d",
            kernel=[kernel, kernel],
            stride=[stride, stride],
            padding=[padding, padding],
        )
        if np.isnan(input).any():
            golden.add(f"{name}.input", input)
            golden.add(f"{name}.output", run(torch.tensor(input, dtype=dtype)))
            golden.describe(name, **attributes)
        else:
            case(name, run, attributes, input=input)

    name = "max_pool2d_k3s2_ties"
    ternary = (hash_values(zlib.crc32(name.encode()), 2 * 3 * 9 * 11) % 3).astype(np.float64) - 1
    max_pool2d(name, ternary.reshape(2, 3, 9, 11), 3, 2)
    with_nan = grid("max_pool2d_k3s2_nan", (1, 2, 9, 9))
    for channel, row, column in ((0, 3, 3), (0, 8, 0), (1, 2, 4), (1, 2, 5)):
        with_nan[0, channel, row, column] = np.nan
    max_pool2d("max_pool2d_k3s2_nan", with_nan, 3, 2)
    max_pool2d("max_pool2d_k2s2", grid("max_pool2d_k2s2", (2, 3, 8, 6)), 2, 2)
    # All values are negative, so a padding that counted as zero would win.
    max_pool2d("max_pool2d_k3s1p1", grid("max_pool2d_k3s1p1", (2, 3, 7, 5)) - 2.5, 3, 1, 1)
    max_pool2d("max_pool2d_k3s2_floor", grid("max_pool2d_k3s2_floor", (2, 3, 8, 10)), 3, 2)
    relu_pool = grid("relu_max_pool2d_k3s2", (2, 3, 9, 11), step=1 / 4) - 1  # whole windows below 0
    max_pool2d("relu_max_pool2d_k3s2", relu_pool, 3, 2, relu=True)

    for height, width in ((7, 9), (13, 13), (6, 6)):
        name = f"adaptive_avg_pool2d_{height}x{width}_to_6x6"
        case(
            name,
            lambda input: F.adaptive_avg_pool2d(input, (6, 6)),
            dict(layer="adaptive_avg_pool2d", output=[6, 6]),
            input=grid(name, (2, 2, height, width)),
        )

    for name, kernel, stride, padding in (
        ("avg_pool2d_k3s2p1", 3, 2, 1),
        ("avg_pool2d_k2", 2, None, 0),
        ("avg_pool2d_k3x2_floor", (3, 2), 2, 0),
    ):
        case(
            name,
            lambda input: F.avg_pool2d(input, kernel, stride, padding),
            dict(layer="avg_pool2d", kernel=kernel, stride=stride, padding=padding),
            input=grid(name, (2, 3, 5, 6)),
        )

    case(
        "softmax",
        lambda input: F.softmax(input, dim=1),
        dict(layer="softmax", dim=1),
        input=grid("softmax", (5, 10), bound=8),
    )

    resizes = ((2, 2, 5, 7), (17, 13)), ((2, 3, 9, 9), (4, 4)), ((1, 1, 2, 32), (3, 227))
    for shape, output in resizes:
        name = "resize_bilinear_{}x{}_to_{}x{}".format(*shape[2:], *output)
        case(
            name,
            lambda input: F.interpolate(
                input, output, mode="bilinear", align_corners=False, antialias=False
            ),
            dict(layer="resize_bilinear", output=output, align_corners=False, antialias=False),
            input=grid(name, shape),
        )

    for name, alpha in (("local_response_norm", 1e-4), ("local_response_norm_strong", 0.5)):
        parameters = dict(size=5, alpha=alpha, beta=0.75, k=2.0)
        case(
            name,
            lambda input: F.local_response_norm(input, **parameters),
            dict(layer="local_response_norm", **parameters),
            input=grid(name, (2, 7, 3, 4), bound=4),
        )
    return golden


# losses.safetensors ------------------------------------------------------------------------------


def losses(dtype):
    golden = Golden()

    def cross_entropy(name, logits):
        labels = (hash_values(zlib.crc32(name.encode()), len(logits)) % 10).astype(np.int64)
        leaf = torch.tensor(logits, dtype=dtype, requires_grad=True)
        loss = F.cross_entropy(leaf, torch.from_numpy(labels))
        loss.backward()
        golden.add(f"{name}.logits", logits)
        golden.add(f"{name}.labels", labels)
        golden.add(f"{name}.loss", loss.reshape(1))
        golden.add(f"{name}.grad_logits", leaf.grad)
        golden.describe(name, loss="cross_entropy", reduction="mean", classes=10, batch=len(logits))

    for batch in (4, 3, 1):
        name = f"cross_entropy_batch{batch}"
        cross_entropy(name, grid(name, (batch, 10), bound=4))
    name = "cross_entropy_large_logits"
    cross_entropy(name, grid(name, (7, 10), bound=1024, step=1))
    return golden


# optimizers.safetensors --------------------------------------------------------------------------


def optimizers(dtype):
    golden, count, steps = Golden(), 37, 3
    initial = grid("initial", (count,), bound=1 / 8, step=1 / 4096)
    # Magnitudes from 1 down to 2^-20 show where an epsilon stands; one gradient stays zero.
    magnitude = 2.0 ** -(np.arange(count) % 6 * 4)
    gradients = (np.abs(grid("gradients", (steps, count), bound=1)) + 1 / 64) * magnitude
    gradients *= np.where(grid("signs", (count,)) < 0, -1, 1)
    gradients[1, ::5] *= -1
    gradients[:, 18] = 0
    golden.add("initial", initial)
    golden.add("gradients", gradients)
    golden.describe("initial", parameters=count, steps=steps)

    def run(name, step_function, **attributes):
        parameters = torch.tensor(initial, dtype=dtype)
        step = step_function(parameters)
        rows = []
        for gradient in gradients:
            step(torch.tensor(gradient, dtype=dtype))
            rows.append(parameters.detach().clone())
        rows = torch.stack(rows)
        golden.add(f"{name}.parameters", rows)
        golden.add(f"{name}.change", rows - torch.tensor(initial, dtype=dtype))
        golden.describe(name, **attributes)

    def of_torch(name, optimizer, learning_rates=None, **options):
        def start(parameters):
            parameters.requires_grad_()
            instance = optimizer([parameters], **options)
            rates = iter(learning_rates or [options["lr"]] * steps)

            def step(gradient):
                parameters.grad = gradient
                instance.param_groups[0]["lr"] = next(rates)
                instance.step()

            return step

        attributes = dict(options, learning_rates=learning_rates or [options["lr"]] * steps)
        del attributes["lr"]
        run(name, start, optimizer=optimizer.__name__.lower(), **attributes)

    sgd, adam = torch.optim.SGD, torch.optim.Adam
    of_torch("sgd", sgd, lr=0.1)
    of_torch("sgd_momentum", sgd, lr=0.1, momentum=0.9)
    of_torch("sgd_momentum_rate_drop", sgd, [0.1, 0.1, 0.01], lr=0.1, momentum=0.9)
    of_torch("sgd_momentum_decay", sgd, lr=0.1, momentum=0.9, weight_decay=5e-4)
    of_torch("sgd_nesterov", sgd, lr=0.1, momentum=0.9, nesterov=True)
    of_torch("sgd_nesterov_decay", sgd, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    of_torch("sgd_momentum_dampening", sgd, lr=0.1, momentum=0.9, dampening=0.1)
    of_torch("adam", adam, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    of_torch("adam_decay", adam, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2)

    def keras_adam(parameters):
        optimizer = KerasAdam([parameters], 1e-3)

        def step(gradient):
            parameters.grad = gradient
            optimizer.step()

        return step

    attributes = dict(learning_rates=[1e-3] * steps, betas=(0.9, 0.999), epsilon_hat=1e-7)
    run("adam_keras", keras_adam, optimizer="adam_keras", **attributes)
    return golden


# alexnet.safetensors -----------------------------------------------------------------------------

# Name, weight shape, (stride, padding) of a convolution, whether a 3/2 max pool follows.
ALEXNET = (
    ("cn1", (96, 3, 11, 11), (4, 0), True),
    ("cn2", (256, 96, 5, 5), (1, 2), True),
    ("cn3", (384, 256, 3, 3), (1, 1), False),
    ("cn4", (384, 384, 3, 3), (1, 1), False),
    ("cn5", (256, 384, 3, 3), (1, 1), True),
    ("fc1", (4096, 9216), None, False),
    ("fc2", (4096, 4096), None, False),
    ("fc3", (10, 4096), None, False),
)
ALEXNET_INPUT = 349  # the input's tensor number: of 100..399 the one with the largest margin
ALEXNET_BIAS = 0.0625
ALEXNET_LABELS = (3, 7)
ALEXNET_MARGIN = 5e-6


def alexnet_input(number):
    return uniform(number, (2, 3, 227, 227), 1.0)


def alexnet_parameters():
    """{name: float32 array} in PyTorch's order, tensors number 1 to 16."""
    parameters = {}
    for name, shape, *_ in ALEXNET:
        scale = np.float32(np.sqrt(6.0 / np.prod(shape[1:])))
        parameters[f"{name}.weight"] = uniform(len(parameters) + 1, shape, scale)
        parameters[f"{name}.bias"] = uniform(len(parameters) + 1, shape[:1], ALEXNET_BIAS)
    return parameters


def add_samples(golden, name, tensor):
    """What stands for a large tensor: its 2-norm, its sum and that of its magnitudes, and up to 256
    elements at a fixed stride around it. The stride is a prime: a quotient of the size would fall on
    the first column or the first kernel tap again and again."""
    values = tensor.flatten().double()
    count = values.numel()
    golden.add(f"{name}.norm", values.norm().reshape(1))
    golden.add(f"{name}.sum", values.sum().reshape(1))
    golden.add(f"{name}.magnitude", values.abs().sum().reshape(1))
    places = np.arange(min(256, count)) * (2654435761 if count > 256 else 1) % count
    golden.add(f"{name}.samples", values[places])


@torch.no_grad()
def decision_margins(x, pooled):
    """[n], of each sample of a layer's values: how far, in units of the layer's standard deviation,
    the nearest decision of the ReLU behind it, and where `pooled` of the max pool behind that, is
    from going the other way."""
    decisions = x.abs()
    if pooled:
        windows = x.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4)
        first, second = windows.topk(2, dim=4)[0].unbind(4)
        decisions = torch.where(first > 0, first - second.clamp(min=0), -first)
    return decisions.flatten(1).min(1)[0] / x.std()


def alexnet_forward(x, parameters, enough=0.0):
    """Logits and margin, that of the nearest decision. Stops where the margin is not enough."""
    margin = float("inf")
    for name, _, convolution, pooled in ALEXNET:
        weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        if convolution:
            stride, padding = convolution
            x = F.conv2d(x, weight, bias, stride, padding)
        else:
            x = F.linear(x.flatten(1), weight, bias)
        if name == "fc3":
            return x, margin
        margin = min(margin, float(decision_margins(x, pooled).min()))
        if margin < enough:
            return None, margin
        x = F.relu(x)
        if pooled:
            x = F.max_pool2d(x, 3, 2)


def alexnet(dtype):
    golden = Golden()
    arrays = dict(input=alexnet_input(ALEXNET_INPUT), **alexnet_parameters())
    parameters = {k: torch.tensor(v, dtype=dtype) for k, v in arrays.items()}
    x = parameters.pop("input")
    for parameter in parameters.values():
        parameter.requires_grad_()
    logits, margin = alexnet_forward(x, parameters)
    loss = F.cross_entropy(logits, torch.tensor(ALEXNET_LABELS))
    loss.backward()
    if dtype == torch.float64:
        assert margin > ALEXNET_MARGIN, f"a decision within {margin} flips in float32"
        assert (logits[0] - logits[1]).abs().max() > 0.1, "the logits hardly depend on the image"

    golden.add("labels", np.array(ALEXNET_LABELS, np.int64))
    golden.add("logits", logits)
    golden.add("loss", loss.reshape(1))
    for name, parameter in parameters.items():
        add_samples(golden, f"{name}.grad", parameter.grad)
    for number, (name, values) in enumerate(arrays.items()):
        bits = values.view(np.uint32).flatten()
        golden.add(f"{name}.values", values.flatten()[:8])
        golden.add(f"{name}.bits_sum", np.array([bits.sum(dtype=np.uint64)]).astype(np.int64))
        scale = 1.0 if name == "input" else ALEXNET_BIAS
        if name.endswith("weight"):
            scale = float(np.float32(np.sqrt(6.0 / np.prod(values.shape[1:]))))
        golden.describe(
            name,
            tensor=number or ALEXNET_INPUT,
            shape=values.shape,
            scale=scale,
        )
    return golden


def alexnet_margins(first, last):
    parameters = {k: torch.tensor(v, dtype=torch.float64) for k, v in alexnet_parameters().items()}
    best = 0.0
    with torch.no_grad():
        for number in range(first, last):
            x = torch.tensor(alexnet_input(number), dtype=torch.float64)
            logits, margin = alexnet_forward(x, parameters, best)
            if logits is not None:
                best = margin
                print(f"input {number}: margin {margin:.2e}", flush=True)


# mlp_training.safetensors ------------------------------------------------------------------------


def mlp(golden, dtype, steps=5, batch=4):
    """The network with its first values, and the batches of its steps."""
    network = torch.nn.Sequential()
    network.add_module("conv", torch.nn.Conv2d(3, 8, 3, padding=1))
    network.add_module("relu1", torch.nn.ReLU())
    network.add_module("pool", torch.nn.MaxPool2d(3, 2))
    network.add_module("flatten", torch.nn.Flatten())
    network.add_module("fc1", torch.nn.Linear(8 * 4 * 4, 12))
    network.add_module("relu2", torch.nn.ReLU())
    network.add_module("fc2", torch.nn.Linear(12, 5))
    network.to(dtype)
    inputs = grid("mlp.inputs", (steps, batch, 3, 9, 9), bound=1)
    labels = (hash_values(zlib.crc32(b"mlp.labels"), steps * batch) % 5).astype(np.int64)
    labels = labels.reshape(steps, batch)
    for name, parameter in network.named_parameters():
        fan_in = network.get_submodule(name.split(".")[0]).weight[0].numel()
        bound = 2.0 ** -round(np.log2(fan_in) / 2)  # about 1/sqrt(fan_in), exact
        values = grid("mlp." + name, tuple(parameter.shape), bound=bound, step=bound / 256)
        parameter.data.copy_(torch.tensor(values))
        golden.add("initial." + name, values)
    golden.add("inputs", inputs)
    golden.add("labels", labels)
    return network, inputs, labels


def mlp_training(dtype):
    golden, steps, batch = Golden(), 5, 4
    network, inputs, labels = mlp(golden, dtype, steps, batch)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    step_losses = []
    for step in range(steps):
        logits = network(torch.tensor(inputs[step], dtype=dtype))
        loss = F.cross_entropy(logits, torch.tensor(labels[step]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step_losses.append(loss.detach())
    golden.add("losses", torch.stack(step_losses))
    for name, parameter in network.named_parameters():
        golden.add("final." + name, parameter)
    golden.describe(
        "training",
        network="Input 3x9x9, conv 8 k3 p1, relu, max_pool2d 3/2, flatten, fc1 12, relu, fc2 5",
        loss="cross_entropy",
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        steps=steps,
        batch=batch,
    )
    return golden


# clipping.safetensors ----------------------------------------------------------------------------


def clipping(dtype, max_norm=1.0):
    golden = Golden()
    network, inputs, labels = mlp(Golden(), dtype)  # whose values mlp_training has
    options = dict(lr=0.05, momentum=0.9, weight_decay=1e-2)
    optimizer = torch.optim.SGD(network.parameters(), **options)
    losses, norms = [], []
    for step in range(3):
        logits = network(torch.tensor(inputs[step], dtype=dtype))
        loss = F.cross_entropy(logits, torch.tensor(labels[step]))
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm))
        optimizer.step()
        losses.append(loss.detach())
    golden.add("losses", torch.stack(losses))
    golden.add("norms", torch.stack(norms))
    for name, parameter in network.named_parameters():
        if name != "fc1.weight":
            golden.add("final." + name, parameter)
    golden.describe("clipping", optimizer="sgd", max_norm=max_norm, **options)
    return golden


# residual.safetensors, inception.safetensors ------------------------------------------------------


class Residual(torch.nn.Module):
    """The layers' output plus the shortcut's."""

    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x):
        return self.layers(x) + self.shortcut(x)


class Concat(torch.nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = torch.nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def branching(case, shape, network, names, number, dtype):
    """Three steps of SGD of a network; `names` gives PyTorch's names of its layers short ones.

    The inputs of this number are such that no ReLU or max pool is near to deciding otherwise.
    """
    golden, steps, batch = Golden(), 3, 3
    network.to(dtype)
    layers = {short: network.get_submodule(name) for short, name in names.items()}

    def tensors(kind):
        for short, layer in layers.items():
            for name, tensor in getattr(layer, f"named_{kind}")():
                if tensor.dim() > 0:  # not num_batches_tracked
                    yield f"{short}.{name}", tensor

    for name, parameter in tensors("parameters"):
        layer = layers[name.split(".")[0]]
        if isinstance(layer, torch.nn.BatchNorm2d):
            values = grid(f"{case}.{name}", tuple(parameter.shape), bound=0.5, step=1 / 64)
            values += 1 if name.endswith("weight") else 0
        else:
            bound = 2.0 ** -round(np.log2(layer.weight[0].numel()) / 2)
            values = grid(f"{case}.{name}", tuple(parameter.shape), bound=bound, step=bound / 256)
        parameter.data.copy_(torch.tensor(values))
        golden.add("initial." + name, values)
    inputs = grid(f"{case}.inputs.{number}", (steps, batch, *shape), bound=1)
    labels = (hash_values(zlib.crc32(f"{case}.labels".encode()), steps * batch) % 5).astype(np.int64)
    labels = labels.reshape(steps, batch)
    golden.add("inputs", inputs)
    golden.add("labels", labels)

    options = dict(lr=0.05, momentum=0.9, weight_decay=1e-3)
    optimizer = torch.optim.SGD(network.parameters(), **options)
    step_losses = []
    for step in range(steps):
        x = torch.tensor(inputs[step], dtype=dtype, requires_grad=True)
        logits = network(x)
        loss = F.cross_entropy(logits, torch.tensor(labels[step]))
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            golden.add("logits", logits)
            golden.add("grad.input", x.grad)
            for name, parameter in tensors("parameters"):
                golden.add("grad." + name, parameter.grad)
        optimizer.step()
        step_losses.append(loss.detach())
        if step == 1:
            for name, statistic in tensors("buffers"):
                golden.add("two_steps." + name, statistic)
    golden.add("losses", torch.stack(step_losses))
    for kind in ("parameters", "buffers"):
        for name, tensor in tensors(kind):
            golden.add("final." + name, tensor)
    network.eval()
    golden.add("final.logits", network(torch.tensor(inputs[0], dtype=dtype)))
    golden.describe(
        case, loss="cross_entropy", optimizer="sgd", steps=steps, batch=batch, **options
    )
    return golden


def residual_network():
    nn = torch.nn

    def unit(inputs, outputs, kernel, stride=1):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
        return [convolution, nn.BatchNorm2d(outputs)]

    network = nn.Sequential(  # made in the order of the layers, which torch_generator needs
        *unit(3, 4, 3),
        nn.ReLU(),
        Residual(
            nn.Sequential(*unit(4, 6, 3, 2), nn.ReLU(), *unit(6, 6, 3)),
            nn.Sequential(*unit(4, 6, 1, 2)),
        ),
        nn.ReLU(),
        Residual(nn.Sequential(*unit(6, 6, 3), nn.ReLU(), *unit(6, 6, 3)), nn.Identity()),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5),
    )
    names = dict(stem="0", stem_norm="1", cn1="3.layers.0", norm1="3.layers.1", cn2="3.layers.3")
    names.update(norm2="3.layers.4", down="3.shortcut.0", down_norm="3.shortcut.1")
    names.update(cn3="5.layers.0", norm3="5.layers.1", cn4="5.layers.3", norm4="5.layers.4", fc="9")
    return network, names


def residual(dtype, number=362):
    return branching("residual", (3, 9, 7), *residual_network(), number, dtype)


def inception_network():
    nn = torch.nn

    def unit(inputs, outputs, kernel):
        return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU()]

    network = nn.Sequential(
        *unit(3, 7, 3),
        Concat(
            nn.Sequential(*unit(7, 4, 1)),
            nn.Sequential(*unit(7, 5, 1), *unit(5, 6, 3)),
            nn.Sequential(*unit(7, 2, 1), *unit(2, 3, 5)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), *unit(7, 4, 1)),
        ),
        nn.AvgPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d((2, 1)),
        nn.Flatten(),
        nn.Linear(34, 5),
    )
    names = dict(stem="0", b1="2.branches.0.0", b2_reduce="2.branches.1.0", b2="2.branches.1.2")
    names.update(b3_reduce="2.branches.2.0", b3="2.branches.2.2", b4="2.branches.3.1", fc="6")
    return network, names


def inception(dtype, number=186):
    return branching("inception", (3, 8, 7), *inception_network(), number, dtype)


# torch_generator.safetensors ----------------------------------------------------------------------


def grouped_network():
    convolution = torch.nn.Conv2d(4, 6, 3, groups=2)
    network = torch.nn.Sequential(convolution, torch.nn.Flatten(), torch.nn.Linear(54, 5))
    return network, dict(conv="0", fc="2")


def alexnet_network():
    network = torch.nn.Sequential()
    for name, shape, convolution, _ in ALEXNET:
        layer = torch.nn.Conv2d if convolution else torch.nn.Linear
        network.add_module(name, layer(shape[1], shape[0], *shape[2:3], *(convolution or ())))
    return network, {name: name for name, *_ in ALEXNET}


def crc32(array):
    return np.array([zlib.crc32(array.tobytes())], np.int64)


def torch_generator(_):
    golden, epochs = Golden(), 4
    networks = dict(
        grouped=(grouped_network, 3),
        residual=(residual_network, 2**32 + 7),  # the upper half of a seed does not count
        inception=(inception_network, 2**64 - 1),
        alexnet=(alexnet_network, 0),
    )
    for case, (make, seed) in networks.items():
        torch.manual_seed(seed)
        network, names = make()
        golden.describe(case, seed=seed)
        for short, name in names.items():
            for kind, tensor in network.get_submodule(name).named_parameters():
                values = tensor.detach().numpy().flatten()
                golden.add(f"{case}.{short}.{kind}.ends", values[[0, -1]])
                golden.add(f"{case}.{short}.{kind}.crc", crc32(values))
    for count in (1, 2, 3, 10, 1000, 50000):
        torch.manual_seed(count)
        grouped_network()  # draws, and is thrown away
        loader = torch.utils.data.DataLoader(range(count), batch_size=250, shuffle=True)
        for epoch in range(epochs):
            order = torch.cat(list(loader)).numpy()
            golden.add(f"order.{count}.{epoch}.first", order[:10])
            golden.add(f"order.{count}.{epoch}.crc", crc32(order.astype(np.uint32)))
    return golden


# systems.safetensors ------------------------------------------------------------------------------

PHOTO_SIZES = [(224, 224), (256, 256), (300, 400), (400, 300), (64, 64), (500, 167), (227, 500),
               (57, 600), (512, 512), (33, 20), (400, 300), (256, 340), (340, 256), (255, 257),
               (360, 640), (97, 103)]


def drawn_photo(index, height, width):
    """uint8 [height, width, 3]: slanted waves with noise on them."""
    y, x, channel = np.meshgrid(*map(np.arange, (height, width, 3)), indexing="ij")
    place = (x * (5 + 3 * index) + y * (7 + 4 * channel) + 64 * channel) & 511
    wave = np.where(place < 256, place, 511 - place)
    noise = (hash_values(1000 + index, wave.size) >> np.uint32(27)).reshape(wave.shape)
    return (wave * 7 // 8 + noise).astype(np.uint8)


def drawn_pixels(indices):
    """uint8 [n, 3, 32, 32] of drawn photos."""
    photos = np.stack([drawn_photo(index, 32, 32) for index in map(int, indices)])
    return torch.tensor(photos).permute(0, 3, 1, 2)


def system_labels(case, steps, batch):
    count = steps * batch
    return (hash_values(zlib.crc32(f"{case}.labels".encode()), count) % 10).astype(np.int64)


def train(network, optimizer, batches):
    """A step for each (inputs, labels); returns the losses, each before its step."""
    losses = []
    for inputs, labels in batches:
        loss = F.cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def train_and_compare(network, optimizer, batches):
    """The losses, and {name: change} of all parameters."""
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    losses = train(network, optimizer, batches)
    return losses, {name: (p - start[name]).detach() for name, p in network.named_parameters()}


def add_training(golden, case, network, names, optimizer, step_input, steps, batch):
    """Trains a network without its dropout; records losses and what each of `names` has changed."""
    labels = system_labels(case, steps, batch)
    golden.add(f"{case}.labels", labels)
    losses, changes = train_and_compare(network, optimizer, zip(map(step_input, range(steps)),
                                                                torch.tensor(labels).split(batch)))
    golden.add(f"{case}.losses", losses)
    for name in names:
        golden.add(f"{case}.change.{names[name]}", changes[name].numpy().astype(np.float32))


def systems(dtype):
    """Whole systems, on narrow networks: fine-tuning torchvision's, and the Keras recipe."""
    import torchvision
    from PIL import Image

    golden = Golden()
    network = torchvision.models.alexnet(num_classes=10)
    a, b, c, d, e, features = 4, 6, 8, 8, 6, 12
    for place, layer in {0: torch.nn.Conv2d(3, a, 11, 4, 2), 3: torch.nn.Conv2d(a, b, 5, 1, 2),
                         6: torch.nn.Conv2d(b, c, 3, 1, 1), 8: torch.nn.Conv2d(c, d, 3, 1, 1),
                         10: torch.nn.Conv2d(d, e, 3, 1, 1)}.items():
        network.features[place] = layer
    for place, layer in {1: torch.nn.Linear(36 * e, features), 4: torch.nn.Linear(features, features),
                         6: torch.nn.Linear(features, 10)}.items():
        network.classifier[place] = layer
    network.to(dtype).eval()  # dropout is idle
    for number, (name, parameter) in enumerate(network.named_parameters(), 1):
        frozen = name.startswith("features.")
        if name.endswith("weight"):
            scale = np.sqrt((6.0 if frozen else 1.0) / parameter[0].numel())
        elif frozen:
            scale = 0.0625
        parameter.data.copy_(torch.tensor(uniform(number, tuple(parameter.shape), scale)))
        parameter.requires_grad_(not frozen)

    prepare = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms()

    def prepared(index, height, width):
        return prepare(Image.fromarray(drawn_photo(index, height, width))).to(dtype)

    with torch.no_grad():
        logits = [network(prepared(i, *size)[None]) for i, size in enumerate(PHOTO_SIZES)]
    golden.add("finetune.sizes", np.array(PHOTO_SIZES, np.int64))
    golden.add("finetune.logits", torch.cat(logits))
    learning = {f"classifier.{name}": f"classifier.{name}"
                for name, _ in network.classifier.named_parameters()}
    optimizer = torch.optim.SGD(network.classifier.parameters(), lr=0.001, momentum=0.9)
    add_training(golden, "finetune", network, learning, optimizer,
                 lambda step: torch.stack([prepared(100 + 4 * step + i, 32, 32) for i in range(4)]),
                 steps=20, batch=4)
    golden.describe("finetune", channels=[a, b, c, d, e], features=features, steps=20, batch=4,
                    optimizer="sgd", learning_rate=0.001, momentum=0.9)

    network, names = keras_network(a, b, c, d, e, features)
    set_glorot(network.to(dtype))

    def images(step, batch=8):
        first = 100 + batch * step
        return keras_input(drawn_pixels(range(first, first + batch)), dtype)

    with torch.no_grad():
        golden.add("keras.log_probabilities", F.log_softmax(network(images(0)), 1))
    add_training(golden, "keras", network, names, KerasAdam(network.parameters(), 1e-4), images,
                 steps=3, batch=8)
    golden.describe("keras", channels=[a, b, c, d, e], features=features, steps=3, batch=8,
                    optimizer="adam_keras", learning_rate=1e-4, epsilon_hat=1e-7)
    return golden


def keras_network(a=96, b=256, c=384, d=384, e=256, features=4096):
    """The Keras recipe's network without dropout and softmax on 227x227, and {PyTorch's name of each
    parameter: Keras's}."""
    nn = torch.nn
    pool = dict(kernel_size=3, stride=2)
    network = nn.Sequential(
        nn.Conv2d(3, a, 11, 4), nn.ReLU(), nn.MaxPool2d(**pool),
        nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(**pool),
        nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
        nn.Conv2d(c, d, 3, padding=1), nn.ReLU(),
        nn.Conv2d(d, e, 3, padding=1), nn.ReLU(), nn.MaxPool2d(**pool),
        nn.Flatten(),
        nn.Linear(36 * e, features), nn.ReLU(),
        nn.Linear(features, features), nn.ReLU(),
        nn.Linear(features, 10),
    )
    layers = ["conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "conv2d_4", "dense", "dense_1", "dense_2"]
    indices = [0, 3, 6, 8, 10, 14, 16, 18]
    return network, {f"{index}.{kind}": f"{layer}.{kind}"
                     for index, layer in zip(indices, layers) for kind in ("weight", "bias")}


def keras_input(pixels, dtype):
    """The recipe's input [n, 3, 227, 227] of pixels [n, 3, 32, 32]."""
    return F.interpolate(pixels.to(dtype) / 255, (227, 227), mode="bilinear", align_corners=False)


def set_glorot(network):
    """Weights by the formula within Glorot's limits, tensors numbered from 1 on; biases are zero."""
    for number, (name, parameter) in enumerate(network.named_parameters(), 1):
        shape = tuple(parameter.shape)
        scale = 0.0
        if name.endswith("weight"):
            scale = np.sqrt(6 / (np.prod(shape[1:]) + shape[0] * np.prod(shape[2:])))
        parameter.data.copy_(torch.tensor(uniform(number, shape, scale)))


@torch.no_grad()
def keras_margins(network, x):
    """[n]: of each sample, the margin of the Keras network's nearest decision."""
    layers = list(network)
    nearest = torch.full((len(x),), float("inf"), dtype=x.dtype)
    for layer, after, second in zip(layers, layers[1:], layers[2:]):
        x = layer(x)
        if isinstance(after, torch.nn.ReLU):
            pooled = isinstance(second, torch.nn.MaxPool2d)
            nearest = torch.minimum(nearest, decision_margins(x, pooled))
    return nearest


def clearest_images(network, pixels_of, label_of, images, batch, steps):
    """Trains the Keras network in float64 by Keras's Adam, at each step on those of `images` that it
    decides most clearly with its weights then, each image once. Returns their numbers, [steps *
    batch], and the smallest margin. On these images a ReLU or a max pool decides alike in any
    arithmetic whose roundings stay below that margin."""
    optimizer = KerasAdam(network.parameters(), 1e-4)
    left, chosen, smallest = torch.tensor(images), [], float("inf")
    for _ in range(steps):
        margins, order = torch.cat([
            keras_margins(network, keras_input(pixels_of(part), torch.float64))
            for part in left.split(16)]).sort(descending=True)
        smallest = min(smallest, float(margins[batch - 1]))
        best, left = left[order].split([batch, len(left) - batch])
        train(network, optimizer, [(keras_input(pixels_of(best), torch.float64), label_of(best))])
        chosen.append(best)
    return torch.cat(chosen), smallest


class KerasAdam:
    """Keras's Adam: the epsilon stands beside the uncorrected root ("epsilon hat")."""

    def __init__(self, parameters, rate, beta1=0.9, beta2=0.999, epsilon=1e-7):
        self.parameters = list(parameters)
        self.rate, self.beta1, self.beta2, self.epsilon, self.t = rate, beta1, beta2, epsilon, 0
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self):
        self.t += 1
        alpha = self.rate * (1 - self.beta2**self.t) ** 0.5 / (1 - self.beta1**self.t)
        for p, (m, v) in zip(self.parameters, self.moments):
            m.add_((p.grad - m) * (1 - self.beta1))
            v.add_((p.grad * p.grad - v) * (1 - self.beta2))
            p.sub_(alpha * m / (v.sqrt() + self.epsilon))


# keras_alexnet.safetensors -----------------------------------------------------------------------

KERAS_MARGIN = 5e-7


def keras_alexnet(dtype):
    """The Keras recipe's whole network: its logits, and what three steps of Adam change."""
    golden = Golden()
    labels = torch.tensor(system_labels("keras_alexnet", 16, 4))
    network, names = keras_network()
    set_glorot(network.double())
    images, margin = clearest_images(network, drawn_pixels, labels.__getitem__, range(64), 4, 3)
    assert margin > KERAS_MARGIN, f"a decision within {margin} flips in float32"

    set_glorot(network.to(dtype))
    inputs = [keras_input(drawn_pixels(four), dtype) for four in images.split(4)]
    with torch.no_grad():
        golden.add("log_probabilities", F.log_softmax(network(inputs[0]), 1))
    golden.add("images", images)
    golden.add("labels", labels[images])
    losses, changes = train_and_compare(network, KerasAdam(network.parameters(), 1e-4),
                                        zip(inputs, labels[images].split(4)))
    golden.add("losses", losses)
    for name, change in changes.items():
        add_samples(golden, f"{names[name]}.change", change)
    golden.describe("keras_alexnet", steps=3, batch=4, optimizer="adam_keras", learning_rate=1e-4,
                    epsilon_hat=1e-7)
    return golden


# Commands ----------------------------------------------------------------------------------------

FILES = {
    "layers": layers,
    "losses": losses,
    "optimizers": optimizers,
    "alexnet": alexnet,
    "mlp_training": mlp_training,
    "clipping": clipping,
    "residual": residual,
    "inception": inception,
    "torch_generator": torch_generator,
    "systems": systems,
    "keras_alexnet": keras_alexnet,
}


def relative_error(name, tensors, expected):
    """max|a-b| / max|b|; a gradient's sum is measured against the sum of its magnitudes."""
    a, b = tensors[name], expected[name]
    if a.shape != b.shape:
        return float("inf")
    if a.dtype != np.float64 and b.dtype != np.float64:  # labels and formula values: exact
        return 0.0 if np.array_equal(a, b) else float("inf")
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    a, b = np.nan_to_num(a.astype(np.float64)), np.nan_to_num(b)
    difference = np.abs(a - b).max()
    scale = expected[name[: -len("sum")] + "magnitude"] if name.endswith(".sum") else b
    return float(difference / np.abs(scale).max()) if difference else 0.0


def write(folder):
    folder.mkdir(exist_ok=True)
    for name, make in FILES.items():
        path = folder / f"{name}.safetensors"
        make(torch.float64).save(path)
        print(f"{path.name}: {path.stat().st_size} bytes")


def check():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder))
        for file in (f"{name}.safetensors" for name in FILES):
            ours, theirs = pathlib.Path(folder) / file, HERE / "goldens" / file
            if ours.read_bytes() == theirs.read_bytes():
                print(f"{file}: the same bytes")
                continue
            (metadata, tensors), (expected_metadata, expected) = load(ours), load(theirs)
            if metadata != expected_metadata or tensors.keys() != expected.keys():
                print(f"{file}: other cases or attributes than the script's; run make_goldens.py")
                failures += 1
                continue
            error, name = max((relative_error(name, tensors, expected), name) for name in tensors)
            verdict = "" if error <= TOLERANCE else " FAILED"
            print(f"{file}: largest relative error {error:.2e} ({name}){verdict}")
            failures += error > TOLERANCE
    return 1 if failures else 0


def float32_errors():
    for name, make in FILES.items():
        tensors = make(torch.float32).tensors
        _, expected = load(HERE / "goldens" / f"{name}.safetensors")
        errors = sorted((relative_error(key, tensors, expected), key) for key in expected)
        print(f"{name}: " + ", ".join(f"{key} {error:.1e}" for error, key in errors[-3:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    command = parser.add_mutually_exclusive_group()
    command.add_argument("--check", action="store_true")
    command.add_argument("--float32", action="store_true")
    command.add_argument("--margins", nargs=2, type=int, metavar=("FIRST", "LAST"))
    options = parser.parse_args()
    if options.check:
        return check()
    if options.float32:
        float32_errors()
    elif options.margins:
        alexnet_margins(*options.margins)
    else:
        write(HERE / "goldens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
