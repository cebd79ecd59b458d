#!/usr/bin/python3
"""check_tensorboard.py FOLDER SCALARS: TensorBoard (module tensorboard) finds in the event files of
FOLDER what the lines of the text file SCALARS say: tag, step, time and value with tabs between,
sorted by tag. Exit code 77 where the module is not there."""

import struct
import sys


def main(folder, scalars):
    try:
        from tensorboard import version
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        print("check_tensorboard: no module tensorboard")
        return 77
    events = EventAccumulator(folder)
    events.Reload()
    found = [(tag, event.step, event.wall_time, event.value)
             for tag in sorted(events.Tags()["scalars"]) for event in events.Scalars(tag)]
    wanted = []
    for line in open(scalars):
        tag, step, time, value = line.rstrip("\n").split("\t")
        (value,) = struct.unpack("f", struct.pack("f", float(value)))
        wanted.append((tag, int(step), float(time), value))
    assert found == wanted, (found, wanted)
    print("check_tensorboard: TensorBoard", version.VERSION, "finds all", len(found), "scalars")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
