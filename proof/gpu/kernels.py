#!/usr/bin/env python3
"""Check and time the kernels in CUDA C++ alone, beside cuBLAS and PyTorch's attention.

The machine needs a GPU of compute capability 9.0 (or 8.0 and later with --kernels narrow,small,middle,large), nvcc and
PyTorch; no Rust. In the repository's root:

    python3 proof/gpu/kernels.py --out results/kernels.json

Errors are relative, against float64. Times are medians of three replays of a CUDA graph; weights rotate through
200 MB, so that they come from the card's memory as those of a model do.
"""

import argparse
import ctypes
import json
import math
import pathlib
import subprocess
import tempfile

import torch

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "crates/qwen3-kernels/src"
COMMON = SOURCES / "gpu/cuda/common.cu"
LINEAR = SOURCES / "linear/gpu/cuda"
ATTENTION = SOURCES / "varlen_attention/gpu/cuda/attention.cu"
STORE, ADD, SWIGLU = range(3)
WEIGHTS = {STORE: 3, ADD: 1, SWIGLU: 2}
ROWS, KEYS = 128, 64
# As crates/qwen3-kernels/src/linear/gpu/cuda/product.rs has them.
MMA = {
    "narrow": {"TILE_M": 16, "TILE_N": 32, "TILE_K": 256, "WARP_M": 16, "WARP_N": 32, "WARPS_K": 8, "STAGES": 3},
    "small": {"TILE_M": 32, "TILE_N": 64, "TILE_K": 128, "WARP_M": 32, "WARP_N": 64, "WARPS_K": 8, "STAGES": 3},
    "middle": {"TILE_M": 64, "TILE_N": 128, "TILE_K": 64, "WARP_M": 32, "WARP_N": 64, "WARPS_K": 1, "STAGES": 3},
    "large": {"TILE_M": 128, "TILE_N": 128, "TILE_K": 32, "WARP_M": 64, "WARP_N": 64, "WARPS_K": 1, "STAGES": 3},
}
NARROW_SWIGLU = {"TILE_M": 16, "TILE_N": 64, "TILE_K": 128, "WARP_M": 16, "WARP_N": 64, "WARPS_K": 8, "STAGES": 4}
WGMMA = {
    "deep": {"TILE_M": 128, "TILE_N": 128, "STAGES": 6},
    "wide": {"TILE_M": 128, "TILE_N": 256, "STAGES": 4},
}
driver = ctypes.CDLL("libcuda.so.1")


def checked(result, what):
    if result:
        raise RuntimeError(f"{what}: CUDA error {result}")


class Kernel:
    """A compiled source."""

    def __init__(self, files, constants, threads, shared):
        major, minor = torch.cuda.get_device_capability()
        arch = f"{major}{minor}" + ("a" if (major, minor) == (9, 0) else "")
        with tempfile.TemporaryDirectory() as folder:
            source, binary = pathlib.Path(folder) / "kernel.cu", pathlib.Path(folder) / "kernel.cubin"
            source.write_text("".join(file.read_text(encoding="utf-8") for file in files), encoding="utf-8")
            defines = [f"-D{name}={value}" for name, value in {"ENTRY": "entry", **constants}.items()]
            target = f"-gencode=arch=compute_{arch},code=sm_{arch}"
            subprocess.run(["nvcc", "-cubin", "-w", target, "-o", binary, *defines, source], check=True)
            image = binary.read_bytes()
        module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        checked(driver.cuModuleLoadData(ctypes.byref(module), image), "load")
        checked(driver.cuModuleGetFunction(ctypes.byref(self.function), module, b"entry"), "find")
        checked(driver.cuFuncSetAttribute(self.function, 8, shared), "shared memory")
        self.shared, self.threads = shared, threads

    def __call__(self, blocks, arguments):
        held = [ctypes.c_uint64(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in arguments]
        places = [a.place if isinstance(a, Map) else ctypes.addressof(a) for a in held]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        pointers = (ctypes.c_void_p * len(places))(*places)
        shape = (blocks, 1, 1, self.threads, 1, 1, self.shared)
        checked(driver.cuLaunchKernel(self.function, *shape, stream, pointers, None), "launch")


class Map:
    """Rows for the copy engine."""

    def __init__(self, tensor, tile_rows):
        self.memory = ctypes.create_string_buffer(128 + 64)
        self.place = (ctypes.addressof(self.memory) + 63) & ~63
        rows, columns = tensor.shape
        sizes, strides = (ctypes.c_uint64 * 2)(columns, rows), (ctypes.c_uint64 * 1)(columns * 2)
        tile, steps = (ctypes.c_uint32 * 2)(64, tile_rows), (ctypes.c_uint32 * 2)(1, 1)
        dtype = 9 if tensor.dtype == torch.bfloat16 else 6
        place, memory = ctypes.c_void_p(self.place), ctypes.c_void_p(tensor.data_ptr())
        encode = driver.cuTensorMapEncodeTiled
        checked(encode(place, dtype, 2, memory, sizes, strides, tile, steps, 0, 3, 2, 0), "tensor map")


class Sizes(ctypes.Structure):
    """`Product` of epilogue.cu."""

    _fields_ = [
        ("rows", ctypes.c_uint32),
        ("inputs", ctypes.c_uint32),
        ("outputs", ctypes.c_uint32 * 3),
        ("tiles", ctypes.c_uint32 * 3),
    ]


class Heads(ctypes.Structure):
    """`Attention` of attention.cu."""

    _fields_ = [("group", ctypes.c_uint32), ("kv_heads", ctypes.c_uint32), ("scale", ctypes.c_float)]


compiled = {}


def product_kernel(name, epilogue, dtype):
    """A kernel for products, and its constants."""
    key = (name, epilogue, dtype)
    if key not in compiled:
        is_mma = name in MMA
        sizes = NARROW_SWIGLU if (name, epilogue) == ("narrow", SWIGLU) else {**MMA, **WGMMA}[name]
        rows = sizes["TILE_M"] + sizes["TILE_N"]
        if is_mma:
            warps = sizes["TILE_M"] // sizes["WARP_M"] * (sizes["TILE_N"] // sizes["WARP_N"]) * sizes["WARPS_K"]
            threads, shared = warps * 32, sizes["STAGES"] * rows * sizes["TILE_K"] * 2
        else:
            threads, shared = 288, 1024 + sizes["STAGES"] * (rows * 128 + 16)
        constants = {"FLOAT16": int(dtype == torch.float16), "EPILOGUE": epilogue, "WEIGHTS": WEIGHTS[epilogue]}
        constants["SCALED"] = int(epilogue == ADD)
        files = [COMMON, LINEAR / "epilogue.cu", LINEAR / ("mma.cu" if is_mma else "wgmma.cu")]
        compiled[key] = Kernel(files, {**constants, **sizes}, threads, shared), sizes
    return compiled[key]


class Product:
    """A product, ready to run."""

    def __init__(self, name, epilogue, x, weights, outputs, residual=None, rms=None):
        self.kernel, sizes = product_kernel(name, epilogue, x.dtype)
        columns = sizes["TILE_N"] // 2 if epilogue == SWIGLU else sizes["TILE_N"]
        written = weights[:1] if epilogue == SWIGLU else weights
        words = Sizes(rows=x.shape[0], inputs=x.shape[1])
        for index, weight in enumerate(written):
            words.outputs[index], words.tiles[index] = weight.shape[0], -(-weight.shape[0] // columns)
        self.blocks = sum(words.tiles) * -(-x.shape[0] // sizes["TILE_M"])
        # The kernel has places for so many; those without tiles are not used.
        weights = (list(weights) + [weights[0]] * 3)[: WEIGHTS[epilogue]]
        outputs = (list(outputs) + [outputs[0]] * 3)[: 3 if epilogue == STORE else 1]
        self.arguments = []
        if name in WGMMA:
            self.blocks = min(self.blocks, torch.cuda.get_device_properties(0).multi_processor_count)
            self.arguments = [Map(x, sizes["TILE_M"])] + [Map(weight, sizes["TILE_N"] // 2) for weight in weights]
        self.arguments += [x, *weights]
        self.arguments += [residual, *outputs, rms] if epilogue == ADD else outputs
        self.arguments.append(words)

    def __call__(self):
        self.kernel(self.blocks, self.arguments)


def seconds(function, runs):
    """Median of three replays of a graph of so many runs."""
    function()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(runs):
            function()
    graph.replay()
    times = []
    for _ in range(3):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1e3 / runs)
    return sorted(times)[1]


def off(found, expected):
    """Relative to the root mean square; NaN where a number is missing."""
    found, expected = found.double(), expected.double()
    return float((found - expected).norm() / expected.norm()) if torch.isfinite(found).all() else math.nan


def random(*shape, dtype=torch.float32):
    return torch.randn(*shape, device="cuda").to(dtype)


def unwritten(*shape, dtype=torch.float32):
    return torch.full(shape, math.nan, device="cuda", dtype=dtype)


def check_products(names):
    shapes = [(1, 1024, (2048, 1024, 1024)), (7, 64, (128, 64, 64)), (100, 1024, (200, 1024, 8)), (300, 2560, (1000,))]
    shapes += [(129, 200, (264, 72)), (2100, 520, (520,)), (200, 1024, (64, 512, 136))]
    worst = {}

    def note(what, error):
        worst[what] = max(worst.get(what, 0.0), error) if error == error else math.nan
        if error != error or error > (5e-3 if "swiglu" in what else 1e-5):
            raise SystemExit(f"{what}: off by {error}")

    for name in names:
        for dtype in (torch.bfloat16, torch.float16):
            label = f"{name} {str(dtype)[6:]}"
            for rows, inputs, columns in shapes:
                x = random(rows, inputs, dtype=dtype)
                weights = [random(n, inputs, dtype=dtype) for n in columns]
                outputs = [unwritten(rows, n) for n in columns]
                exact = [x.double() @ weight.double().T for weight in weights]
                Product(name, STORE, x, weights, outputs)()
                note(f"{label} store", max(map(off, outputs, exact)))
                residual, rms, y = random(rows, columns[0]), random(rows), unwritten(rows, columns[0])
                Product(name, ADD, x, weights[:1], [y], residual, rms)()
                note(f"{label} add", off(y, residual.double() + rms.double()[:, None] * exact[0]))
                gate, up = (random(columns[0], inputs, dtype=dtype) / inputs**0.5 for _ in range(2))
                hidden = unwritten(rows, columns[0], dtype=dtype)
                Product(name, SWIGLU, x, [gate, up], [hidden])()
                gated = torch.nn.functional.silu(x.double() @ gate.double().T) * (x.double() @ up.double().T)
                note(f"{label} swiglu", off(hidden, gated))
    return worst


def attention(lengths, heads, width):
    """q, k and v of sequences, the output, and what computes it."""
    query_heads, kv_heads = heads
    group, tokens = query_heads // kv_heads, sum(lengths)
    if width not in compiled:
        constants = {"FLOAT16": 0, "WIDTH": width, "ROWS": ROWS, "KEYS": KEYS}
        compiled[width] = Kernel([COMMON, ATTENTION], constants, ROWS, (ROWS + 2 * KEYS) * width * 2)
    q, k, v = random(tokens, query_heads, width), random(tokens, kv_heads, width), random(tokens, kv_heads, width)
    table, first, queries = [], 0, ROWS // group
    for length in lengths:
        table += [[first + at, min(queries, length - at), first, 1 + at] for at in range(0, length, queries)]
        first += length
    table.sort(key=lambda block: -(block[3] + block[1]))
    blocks = torch.tensor(table, dtype=torch.int32, device="cuda")
    output = unwritten(tokens, query_heads, width, dtype=torch.bfloat16)
    words = Heads(group, kv_heads, width**-0.5 * math.log2(math.e))
    arguments = [q, k.bfloat16(), v.bfloat16(), blocks, output, words]
    return q, k, v, output, lambda: compiled[width](len(table) * kv_heads, arguments)


def check_attention():
    errors = {}
    for width in (128, 64, 32, 16):
        for lengths, heads in [([5, 1, 70, 130, 64], (16, 8)), ([1, 300, 3], (32, 8)), ([513], (4, 4))]:
            q, k, v, output, run = attention(lengths, heads, width)
            run()
            expected, first = torch.empty_like(q), 0
            for length in lengths:
                rows = slice(first, first + length)
                group = heads[0] // heads[1]
                keys, values = (t[rows].double().transpose(0, 1).repeat_interleave(group, 0) for t in (k, v))
                scores = q[rows].double().transpose(0, 1) @ keys.transpose(1, 2) * width**-0.5
                later = torch.ones(length, length, device="cuda").triu(1).bool()
                weights = scores.masked_fill(later, -math.inf).softmax(-1)
                expected[rows] = (weights @ values).transpose(0, 1).float()
                first += length
            error = errors[f"{width} wide, {heads[0]} of {heads[1]}"] = off(output, expected)
            if not error < 5e-3:
                raise SystemExit(f"attention {width} wide, {heads}: off by {error}")
    return errors


def time_attention():
    rows = []
    shapes = [(32, 128, (16, 8)), (16, 512, (16, 8)), (2, 2048, (16, 8)), (32, 512, (32, 8)), (1, 8192, (32, 8))]
    for texts, length, heads in shapes:
        *_, run = attention([length] * texts, heads, 128)
        q, k = (random(texts, heads[0], length, 128, dtype=torch.bfloat16) for _ in range(2))
        sdpa = torch.nn.functional.scaled_dot_product_attention
        times = [seconds(run, 10), seconds(lambda: sdpa(q, k, k, is_causal=True), 10)]
        rows.append([f"{texts} x {length}, {heads[0]} heads", *times])
        print(f"attention {rows[-1][0]}: {times[0] * 1e6:.0f} us, PyTorch {times[1] * 1e6:.0f}", flush=True)
    return rows


def time_products(names):
    models = {"0.6b": (1024, 2048, 1024, 3072), "4b": (2560, 4096, 1024, 9728)}
    counts = {"0.6b": (1, 64, 128, 512, 1024, 2048, 4096), "4b": (16, 512, 4096, 16384)}
    times = {}
    print("microseconds".ljust(24), "cublas", *(name.rjust(7) for name in names), " TFLOP/s: ours, cuBLAS")
    for model, (hidden, query, kv, inner) in models.items():
        for rows in counts[model]:
            for what, epilogue, inputs, columns in [
                ("q k v", STORE, hidden, (query, kv, kv)),
                ("o", ADD, query, (hidden,)),
                ("gate up", SWIGLU, hidden, (inner, inner)),
                ("down", ADD, inner, (hidden,)),
            ]:
                dtype, turn = torch.bfloat16, [0]
                sets = max(1, min(8, int(2e8 / (2 * inputs * sum(columns)))))
                x, runs = random(rows, inputs, dtype=dtype), 20 if rows <= 4096 else 5
                weights = [[random(n, inputs, dtype=dtype) for n in columns] for _ in range(sets)]
                joined = [torch.cat(of_layer) for of_layer in weights]
                residual, rms = random(rows, columns[0]), random(rows)
                outputs = [unwritten(rows, n, dtype=dtype if epilogue == SWIGLU else torch.float32) for n in columns]

                def in_turns(functions):
                    def run():
                        turn[0] += 1
                        functions[turn[0] % sets]()

                    return seconds(run, runs)

                row = {"cublas": in_turns([lambda w=w: x @ w.T for w in joined])}
                for name in names:
                    sizes = {**MMA, **WGMMA}[name]
                    # Far from what a kernel is for.
                    if rows > 32 * sizes["TILE_M"] and sizes["TILE_M"] < 64 or rows * 8 < sizes["TILE_M"]:
                        continue
                    products = [Product(name, epilogue, x, w, outputs, residual, rms) for w in weights]
                    row[name] = in_turns(products)
                times[f"{model} {rows} {what}"] = row
                work = 2 * rows * inputs * sum(columns) / 1e12
                cells = (f"{row[name] * 1e6:.1f}" if name in row else "-" for name in ["cublas", *names])
                ours = work / min(value for name, value in row.items() if name != "cublas")
                print(f"{model} {rows} {what}".ljust(24), *(cell.rjust(7) for cell in cells), end="")
                print(f"  {ours:.0f} {work / row['cublas']:.0f}", flush=True)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", default=",".join([*MMA, *WGMMA]))
    parser.add_argument("--out", type=pathlib.Path, help="where results go, as JSON")
    arguments = parser.parse_args()
    names = arguments.kernels.split(",")
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    results = {"device": torch.cuda.get_device_name(), "products off": check_products(names)}
    results["attention off"] = check_attention()
    print("right:", json.dumps({name: f"{value:.1e}" for name, value in results["products off"].items()}))
    results["attention seconds"], results["products seconds"] = time_attention(), time_products(names)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
