#!/usr/bin/env python3
"""Run a program built for CUDA on a machine without a GPU.

A driver stands in whose memory is the host's, and whose kernels run on the CPU: one thread of a block until it waits,
then the next, with what an instruction of a tensor core does in C++. NVIDIA's compiler takes each kernel first, so what
it refuses is refused here, and --list shows what its assembler says of it.

Where numbers are right here, kernels compute what they should, whether a GPU does its background work at once or as
late as it may (--late). Of speed it tells only the host's part of a launch (--dry).

Needs Linux, g++ and NVIDIA's compiler from PyPI, no GPU. In the repository's root:

    python3 -m venv target/emulator/python
    target/emulator/python/bin/pip install -r proof/gpu/emulator/requirements.txt
    cargo build --release --locked -p qwen3-proof --features cuda
    target/emulator/python/bin/python proof/gpu/emulate.py target/release/qwen3-proof parity --devices cuda
    cargo test --release --locked -p qwen3-cuda --no-run
    target/emulator/python/bin/python proof/gpu/emulate.py target/release/deps/kernels-* --nocapture
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent / "emulator"
ROOT = HERE.parents[2]


def packages():
    """Where NVIDIA's packages are."""
    folders = [pathlib.Path(folder) / "nvidia" for folder in sys.path]
    names = ("cuda_nvrtc", "cuda_nvcc", "cuda_runtime", "cuda_cccl")
    found = {name: next((f / name for f in folders if (f / name).is_dir()), None) for name in names}
    if None in found.values():
        sys.exit(f"{sys.executable} lacks packages; install {HERE.relative_to(ROOT)}/requirements.txt")
    return found


def build(work):
    """The libraries that stand for NVIDIA's."""
    for source, library in (("driver.cpp", "libcuda.so.1"), ("compiler.cpp", "libnvrtc.so.12")):
        path = work / library
        if not path.exists() or path.stat().st_mtime < max(file.stat().st_mtime for file in HERE.iterdir()):
            flags = ["-std=c++17", "-O2", "-fPIC", "-shared", "-ldl"]
            subprocess.run(["g++", *flags, "-o", path, HERE / source], check=True)
    for library in ("libcuda.so", "libnvrtc.so"):
        link = work / library
        if not link.exists():
            link.symlink_to({"libcuda.so": "libcuda.so.1", "libnvrtc.so": "libnvrtc.so.12"}[library])


def toolkit(work, found):
    """One folder of headers, as a toolkit has it."""
    include = work / "toolkit/include"
    include.mkdir(parents=True, exist_ok=True)
    for name in ("cuda_runtime", "cuda_nvcc", "cuda_cccl"):
        for path in (found[name] / "include").iterdir():
            if not (include / path.name).exists():
                (include / path.name).symlink_to(path)
    return include.parent


def table(work, log):
    """Kernels, how often each was launched, how long it took here, and what NVIDIA's assembler says of it."""
    launches = collections.defaultdict(lambda: [0, 0.0])
    for line in log.read_text(encoding="utf-8").splitlines():
        name, _, _, milliseconds = line.rsplit(" ", 3)
        launches[name][0] += 1
        launches[name][1] += float(milliseconds)
    for name, (count, milliseconds) in sorted(launches.items(), key=lambda item: -item[1][0]):
        said = (work / f"{name}.txt").read_text(encoding="utf-8")
        patterns = (r"Used (\d+) registers", r"(\d+) bytes spill stores")
        registers, spilled = (re.search(pattern, said)[1] for pattern in patterns)
        label = name.rsplit("-", 1)[0]
        print(f"{count:7} x {milliseconds:9.1f} ms, {registers:>3} registers, {spilled:>3} bytes spilled: {label}")
    print(f"{sum(count for count, _ in launches.values()):7} launches")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="90", help="compute capability, such as 80, 89 or 90")
    parser.add_argument("--late", action="store_true", help="background work as late as can be, threads in reverse")
    parser.add_argument("--dry", metavar="LAUNCHES", help="compute so many launches only, as the self-check needs them")
    parser.add_argument("--memory", metavar="BYTES", help="of the device [default: 8 GiB]")
    parser.add_argument("--list", action="store_true", help="list the kernels that ran")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/emulator", help="folder for libraries")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the program and its arguments")
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("which program?")
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    found = packages()
    build(work)
    log = work / "launches.log"
    log.unlink(missing_ok=True)
    variables = dict(
        os.environ,
        LD_LIBRARY_PATH=f"{work}:{os.environ.get('LD_LIBRARY_PATH', '')}",
        CUDA_PATH=str(toolkit(work, found)),
        XDG_CACHE_HOME=str(work / "cache"),
        EMULATOR_WORK=str(work),
        EMULATOR_PYTHON=sys.executable,
        EMULATOR_COMPILE=str(HERE / "compile.py"),
        EMULATOR_NVRTC=str(next((found["cuda_nvrtc"] / "lib").glob("libnvrtc.so.*"))),
        EMULATOR_PTXAS=str(found["cuda_nvcc"] / "bin/ptxas"),
        EMULATOR_ARCH=arguments.architecture,
        EMULATOR_LOG=str(log),
    )
    if arguments.late:
        variables["EMULATOR_LATE"] = "1"
    for name in ("dry", "memory"):
        if getattr(arguments, name):
            variables[f"EMULATOR_{name.upper()}"] = getattr(arguments, name)
    code = subprocess.run(arguments.command, env=variables, check=False).returncode
    if arguments.list and log.exists():
        table(work, log)
    sys.exit(code)


if __name__ == "__main__":
    main()
