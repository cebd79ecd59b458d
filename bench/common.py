"""What the measurements of this folder share."""

import json
import os
import pathlib
import platform
import re
import sys


class Failure(Exception):
    """What one line can tell the person at the terminal."""


def note(text):
    print(text, file=sys.stderr, flush=True)


def describe_machine():
    model = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else platform.machine(),
            "processors": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}


def print_columns(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip())


def write_json(path, results):
    if path is None:
        return
    temporary = pathlib.Path(f"{path}.partial")
    temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="ascii")
    temporary.replace(path)


def positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value
    parse.__name__ = f"positive {kind.__name__}"
    return parse
