"""Compile one CUDA program: by NVIDIA's compiler to know that it takes it, and by g++ to run it here.

`compiler.cpp` runs this with a path: PATH.cu and PATH.options are read, PATH.path gets the library's.
What NVIDIA's assembler says of each kernel (registers, spilled bytes) is kept beside the library.
"""

import ctypes
import hashlib
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FUNCTION = re.compile(r"(?:template <[^>]*>\s*)?DEVICE [\w ]+?(\w+)\([^{;]*\) \{")
SHARED = re.compile(r"extern __shared__\s+(?:__align__\(\d+\)\s+)?(\w+) (\w+)\[\];")
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(")


def by_nvidia(source, options):
    """The program in NVIDIA's assembly language.

    Raises RuntimeError with what its compiler says.
    """
    compiler = ctypes.CDLL(os.environ["EMULATOR_NVRTC"])
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    texts = [option.encode() for option in options]
    compiler.nvrtcCreateProgram(ctypes.byref(program), source.encode(), None, 0, None, None)
    failed = compiler.nvrtcCompileProgram(program, len(texts), (ctypes.c_char_p * len(texts))(*texts))
    name = "ProgramLog" if failed else "PTX"
    getattr(compiler, f"nvrtcGet{name}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(compiler, f"nvrtcGet{name}")(program, text)
    if failed:
        raise RuntimeError(text.value.decode())
    return text.value


def end_of_block(text, start):
    """The place after the block whose brace is at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    raise ValueError("a block without end")


def without_instructions(source):
    """The source without functions that are an instruction; `instructions.hpp` stands where the first was."""
    kept, place = [], 0
    while found := FUNCTION.search(source, place):
        end = end_of_block(source, found.end() - 1)
        if "asm" in source[found.start() : end]:
            is_first = not any("instructions.hpp" in part for part in kept)
            kept += [source[place : found.start()], '#include "instructions.hpp"\n' if is_first else ""]
        else:
            kept.append(source[place:end])
        place = end
    return "".join([*kept, source[place:]])


def for_host(source):
    kernel = KERNEL.search(source).group(1)
    source = SHARED.sub(r"\1* \2 = (\1*)emulator::shared_memory;", without_instructions(source))
    return f'#include "emulator.hpp"\n{source}\nEMULATED({kernel})\n'


def label(source):
    """What the kernel is called in lists."""
    kernel = KERNEL.search(source).group(1)
    if kernel != "ENTRY":
        return kernel
    head = re.match(r"(?:#define \w+ \w+\n)*", source).group()
    constants = re.findall(r"#define (\w+) (\d+)\n", head)
    name = next(name for word, name in (("wgmma", "wgmma"), ("residual", "mma"), ("", "attention")) if word in source)
    return ",".join([name, *(f"{key}={value}" for key, value in constants)])


def main():
    base = pathlib.Path(sys.argv[1])
    source = base.with_suffix(".cu").read_text(encoding="utf-8")
    options = base.with_suffix(".options").read_text(encoding="utf-8").splitlines()
    work = pathlib.Path(os.environ["EMULATOR_WORK"])
    parts = [source, *options, *(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.hpp")))]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    path = work / f"{label(source)[:160]}-{digest}.so"
    if not path.exists():
        assembly = path.with_suffix(".ptx")
        try:
            assembly.write_bytes(by_nvidia(source, options))
        except RuntimeError as error:
            sys.exit(f"{label(source)}: {error}")
        architecture = next(option.split("=")[1] for option in options if "architecture" in option)
        told = subprocess.run(
            [os.environ["EMULATOR_PTXAS"], "-v", f"-arch={architecture}", "-o", os.devnull, assembly],
            capture_output=True,
            text=True,
            check=False,
        )
        path.with_suffix(".txt").write_text(told.stdout + told.stderr, encoding="utf-8")
        if told.returncode:
            sys.exit(f"{label(source)}: {told.stderr}")
        host = path.with_suffix(".cpp")
        host.write_text(for_host(source), encoding="utf-8")
        includes = [f"-I{HERE}", f"-I{os.environ['CUDA_PATH']}/include"]
        flags = ["-std=c++20", "-O2", "-fPIC", "-shared", "-w", "-Wno-psabi", "-Wl,-Bsymbolic", "-fno-strict-aliasing"]
        subprocess.run(["g++", *flags, *includes, "-o", path.with_suffix(".part"), host], check=True)
        path.with_suffix(".part").rename(path)
    base.with_suffix(".path").write_text(str(path), encoding="utf-8")


if __name__ == "__main__":
    main()
