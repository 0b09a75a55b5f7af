#!/usr/bin/env python3
"""Prove and time a build of qwen3-proof on a machine with a GPU, beside sentence-transformers in the same run.

The machine needs this repository's files, PyTorch and sentence-transformers for this Python, and the program; no Rust
and no network. Where the program is built: `cargo build --release -p qwen3-proof --features cuda`. There, in the
repository's root:

    python3 proof/gpu/bench.py --program ./qwen3-proof --out results

First parity with Transformers on the fixtures, on each device; a device that isn't right in the dtype that is timed is
left out. Then each size, device by device, ours and the peer in turns on the same random weights and shapes. Everything
goes into files under --out; a table of all sizes is printed last, from the files, so that sizes may be measured in
several calls. `kernels.py` beside this checks and times the kernels alone.
"""

import argparse
import json
import os
import pathlib
import site
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = "1x16,1x128,1x2048,8x128,8x512,32x128,16x512,mixed"
# What each device holds checkpoints of bfloat16 in.
DTYPES = {"cuda": "bf16", "vulkan": "f16", "wgpu": "f16", "cpu": "bf16"}


def environment():
    """Ours; with the CUDA of PyTorch's packages where no toolkit is installed."""
    variables = dict(os.environ)
    toolkits = [os.environ.get("CUDA_PATH", ""), "/usr/local/cuda", "/opt/cuda"]
    if not any(toolkit and (pathlib.Path(toolkit) / "include/cuda_runtime.h").exists() for toolkit in toolkits):
        folders = [pathlib.Path(folder) / "nvidia" for folder in site.getsitepackages() + [site.getusersitepackages()]]
        headers = [header for folder in folders for header in folder.glob("*/include/cuda_runtime.h")]
        libraries = [str(library.parent) for folder in folders for library in folder.glob("*/lib/libnvrtc.so*")]
        if headers:
            variables["CUDA_PATH"] = str(headers[0].parent.parent)
        variables["LD_LIBRARY_PATH"] = ":".join([*dict.fromkeys(libraries), os.environ.get("LD_LIBRARY_PATH", "")])
    # Mesa's device selection complains without a desktop session.
    variables.setdefault("XDG_RUNTIME_DIR", "/tmp")
    return variables


def run(arguments, log):
    """Whether it succeeded. What it says is seen, and kept."""
    print("$", *arguments, flush=True)
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
    return process.wait() == 0


def machine(out):
    """What this was measured on."""
    commands = [["nvidia-smi"], ["uname", "-a"], [sys.executable, "-m", "pip", "list"]]
    with open(out / "machine.txt", "w", encoding="utf-8") as file:
        for command in commands:
            try:
                file.write(subprocess.run(command, capture_output=True, text=True, check=False).stdout + "\n")
            except OSError as error:
                file.write(f"{command[0]}: {error}\n")


def right(path, dtype):
    """Whether parity was within bounds in this dtype, by what it wrote."""
    try:
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8")) if cell["dtype"] == dtype]
    except (OSError, ValueError):
        return False
    return bool(cells) and all(line["ok"] for cell in cells for line in cell["lines"])


def table(out):
    """One line for each size, device and shape."""
    lines = [["size", "device", "dtype", "shape", "ms", "tokens/s", "peer", "ratio"]]
    for path in sorted(out.glob("bench-*.json")):
        results = json.loads(path.read_text(encoding="utf-8"))
        rows = {(row["program"], row["shape"]): row for row in results["rows"]}
        for (program, shape), row in rows.items():
            if program != "qwen3":
                continue
            peer = rows.get(("sentence-transformers", shape))
            speeds = [row["tokens_per_second"], peer and peer["tokens_per_second"]]
            lines.append(
                [results["size"], row["device"], row["dtype"], shape, f"{row['median_seconds'] * 1e3:.1f}"]
                + [f"{speed:.0f}" if speed else "-" for speed in speeds]
                + [f"{speeds[0] / speeds[1]:.2f}" if speeds[1] else "-"]
            )
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/qwen3-proof", help="qwen3-proof, built with cuda")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/gpu"), help="where results go")
    parser.add_argument("--devices", default="cuda,vulkan")
    parser.add_argument("--sizes", default="0.6b,4b,8b", help="or tiny to try this script")
    parser.add_argument("--shapes", default=SHAPES, help="texts x tokens of each; mixed is 64 texts of 8 to 503")
    parser.add_argument("--repeats", default="5")
    parser.add_argument("--max-seconds", default="20", help="most for a shape")
    parser.add_argument("--no-parity", action="store_true", help="of devices that an earlier call proved")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    program = str(pathlib.Path(arguments.program).resolve())
    machine(out)

    failed = []
    for device in arguments.devices.split(","):
        dtype, path = DTYPES[device.split(":")[0]], out / f"parity-{device}.json"
        parity = [program, "parity", "--quiet", "--devices", device, "--json", str(path)]
        if not arguments.no_parity and not run(parity, out / f"parity-{device}.log"):
            if not right(path, dtype):
                failed.append(f"{device}: not the same as Transformers in {dtype}, or not here; not timed")
                continue
            failed.append(f"{device}: not the same as Transformers in a dtype that isn't timed")
        for size in arguments.sizes.split(","):
            name = f"bench-{size}-{device}"
            bench = [program, "bench", "--devices", device, "--dtypes", dtype, "--size", size]
            bench += ["--shapes", arguments.shapes, "--repeats", arguments.repeats]
            bench += ["--max-seconds", arguments.max_seconds, "--peer", "--python", sys.executable]
            if not run([*bench, "--json", str(out / f"{name}.json")], out / f"{name}.log"):
                failed.append(f"{device}, {size}: failed")
    print()
    print(table(out))
    for line in failed:
        print("FAILED", line)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
