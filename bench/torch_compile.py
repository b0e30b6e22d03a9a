"""What prefopt_bench_torch measures of pairs, compiled by torch.compile: inductor with the C++ compiler, on one thread.

Understands those of Google Benchmark's options that compare gives, and prints what they print:
    torch_compile.py --benchmark_list_tests
    torch_compile.py --benchmark_filter=PATTERN --benchmark_min_time=SECONDS --benchmark_format=json
pair/<dpo|ipo|simpo>/f32/<n>: the mean loss of n pairs and its gradients by both policy log-probs.
    pairs_per_second, call_seconds  by the thread's CPU time, medians over the turns
A loss and its gradients are one graph (grad_and_value), which is compiled into fewer loops than a loss whose gradients
autograd asks for later. The first run of a case compiles it; what is compiled stays in the environment's folder.
"""

import ctypes
import datetime
import json
import os
import re
import statistics
import sys
import time

NAMES = [f"pair/{loss}/f32/{n}" for loss in ("dpo", "ipo", "simpo") for n in (64, 4096, 1 << 16, 1 << 20)]


def give_up(status, message):
    print(f"torch_compile.py: {message}", file=sys.stderr)
    sys.exit(status)


def options(arguments):
    """The values of the options by name."""
    given = {"filter": "", "min_time": "0.5", "format": "json", "list_tests": "false"}
    for argument in arguments:
        match = re.fullmatch(r"--benchmark_(filter|min_time|format|list_tests)(?:=(.*))?", argument)
        if not match:
            give_up(2, f"{argument}: expected --benchmark_list_tests, _filter=, _min_time= or _format=json")
        given[match[1]] = "true" if match[2] is None else match[2]
    if given["format"] != "json":
        give_up(2, f"--benchmark_format: got '{given['format']}', expected json")
    try:
        given["min_time"] = float(given["min_time"].removesuffix("s"))
    except ValueError:
        give_up(2, f"--benchmark_min_time: got '{given['min_time']}', expected seconds")
    try:
        given["filter"] = re.compile(given["filter"])
    except re.error as error:
        give_up(2, f"--benchmark_filter: {error}")
    return given


def mean_loss(torch, loss):
    """The loss as torch's users write it, with the parameters that prefopt's have by themselves."""

    def dpo(chosen, rejected, ref_chosen, ref_rejected):
        margin = (chosen - ref_chosen) - (rejected - ref_rejected)
        return -torch.nn.functional.logsigmoid(0.1 * margin).mean()

    def ipo(chosen, rejected, ref_chosen, ref_rejected):
        margin = (chosen - ref_chosen) - (rejected - ref_rejected)
        return (margin - 1 / (2 * 0.1)).square().mean()

    def simpo(chosen, rejected, chosen_length, rejected_length):
        margin = chosen / chosen_length - rejected / rejected_length
        return -torch.nn.functional.logsigmoid(2.0 * margin - 1.0).mean()

    return {"dpo": dpo, "ipo": ipo, "simpo": simpo}[loss]


def columns(torch, loss, n):
    """Chosen and rejected log-probs, then those of the reference, or lengths."""
    torch.manual_seed(7)
    log_probs = [torch.rand(n) * 8 - 70 for _ in range(4)]
    if loss == "simpo":
        return log_probs[:2] + [torch.rand(n) * 180 + 20 for _ in range(2)]
    return log_probs


def run(torch, name, seconds):
    """A case's counters. The compiled gradients have to be those of autograd."""
    _, loss, _, count = name.split("/")
    n = int(count)
    function = mean_loss(torch, loss)
    given = columns(torch, loss, n)
    compiled = torch.compile(torch.func.grad_and_value(function, argnums=(0, 1)), dynamic=False)

    gradients, value = compiled(*given)
    policy = [column.clone().requires_grad_() for column in given[:2]]
    expected = function(*policy, *given[2:])
    torch.testing.assert_close(value, expected.detach())
    for gradient, other in zip(gradients, torch.autograd.grad(expected, policy)):
        torch.testing.assert_close(gradient, other)

    repeats = max(1, 65536 // n)
    turns = []
    until = time.monotonic() + seconds
    while len(turns) < 5 or time.monotonic() < until:
        start = time.thread_time()
        for _ in range(repeats):
            compiled(*given)
        turns.append((time.thread_time() - start) / repeats)
    call = statistics.median(turns)
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "iterations": len(turns) * repeats,
        "real_time": call * 1e9,
        "cpu_time": call * 1e9,
        "time_unit": "ns",
        "call_seconds": call,
        "pairs_per_second": n / call,
    }


def main():
    given = options(sys.argv[1:])
    chosen = [name for name in NAMES if given["filter"].search(name)]
    if given["list_tests"] != "false":
        print("\n".join(chosen))
        return
    # Where the compiled loops are kept; read when torch is imported.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(sys.prefix, "inductor"))
    try:
        import torch
    except ImportError as error:
        give_up(1, f"torch cannot be imported: {error}")
    from torch._inductor import cpu_vec_isa

    # Memory for results is kept, as in prefopt_bench_torch: M_MMAP_MAX, M_TRIM_THRESHOLD.
    libc = ctypes.CDLL(None)
    libc.mallopt(-4, 0)
    libc.mallopt(-1, -1)
    torch.set_num_threads(1)
    context = {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "executable": sys.argv[0],
        "torch": torch.__version__.partition("+")[0] + " with torch.compile",
        "instruction_set": str(cpu_vec_isa.pick_vec_isa()),
    }
    results = [run(torch, name, given["min_time"]) for name in chosen]
    print(json.dumps({"context": context, "benchmarks": results}, indent=2))


main()
