"""Changes one token of a header at a time, and looks whether the fastest tests that should see it do. See mutate.sh."""

import argparse
import atexit
import collections
import concurrent.futures
import fnmatch
import functools
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from mutants import mutants_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
TESTS = ROOT / "tests"
# What lies beyond an array is seen, as the sanitizers of the suite see it.
FLAGS = ["-std=c++20", "-O1", "-march=native", "-DNDEBUG", "-w", "-D_GLIBCXX_ASSERTIONS", "-fsanitize=bounds", "-fsanitize-undefined-trap-on-error"]  # fmt: skip
LEAST, LONGEST = 5, 60  # seconds of the processor for a test, which has ten times what it takes without a mutant; and of all
MOST_MEMORY = 8 << 30  # bytes of one: a loop without an end may fill a vector
# What no mutant is in, compiled once.
PRECOMPILED = ["catch.hpp", "xsimd/xsimd.hpp", "algorithm", "array", "cmath", "functional", "limits", "map", "memory", "numeric", "optional",
               "random", "ranges", "span", "string", "string_view", "thread", "tuple", "vector"]  # fmt: skip


@functools.cache
def included_by(header):
    return re.findall(r"#include <(prefopt/[^>]+)>", (INCLUDE / header).read_text())


@functools.cache
def closure(header):
    """The headers of the library that a header includes, itself among them."""
    seen, left = set(), [header]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += included_by(name)
    return seen


TYPES = {}  # of losses, and the headers that they are in
HEADERS = {}


def family_of(headers):
    """Of a loss that includes these: other families build on what pairs have."""
    for family, contract in (("token", "token_surrogate"), ("list", "list_loss"), ("unpaired", "unpaired_loss"), ("pair", "pair_loss")):
        if f"prefopt/contract/{contract}.hpp" in headers:
            return family
    return None


@functools.cache
def losses(family):
    """The losses of a family: name to closure."""
    found = {}
    for path in sorted((INCLUDE / "prefopt/loss").glob("*.hpp")):
        header = f"prefopt/loss/{path.name}"
        text = path.read_text()
        name = re.search(r"card\{\s*\"(\w+)\"", text)
        if name and family_of(closure(header)) == family:
            found[name.group(1)] = closure(header)
            HEADERS[header] = name.group(1)
            TYPES[name.group(1)] = re.findall(r"^struct (\w+) {", text, re.MULTILINE)[-1]
    return found


class Check:
    """Sources that are compiled with the mutant in front of the library, and what they are linked with."""

    def __init__(self, name, sources, overlay=None, options=(), defines=(), objects=(), needs=(), variables=()):
        self.name, self.sources, self.objects = name, sources, list(objects)
        self.options, self.defines = list(options), list(defines)  # of the sources, and of all
        self.overlay, self.needs, self.variables = overlay, list(needs), dict(variables)
        self.guard, self.folder, self.seconds = threading.Lock(), None, LONGEST

    def compile(self, source, target, build, mutated=None):
        paths = [f"-I{mutated}"] if mutated else []
        if self.overlay:
            paths.append(f"-I{TESTS / 'mutation' / self.overlay}")
        paths += [f"-I{TESTS}", f"-I{INCLUDE}"] + build.includes
        shared = f'-DPREFOPT_SHARED_DIR="{build.shared}"'
        # What has no mutant in it may have been compiled before.
        compiler = [build.compiler] if mutated or not build.cache else [*build.cache, build.compiler, "-fpch-preprocess"]
        options = [shared, *self.defines, *(self.options if source in self.sources else []), *paths]
        command = [*compiler, *FLAGS, *build.precompiled, *options, "-c", str(TESTS / source), "-o", str(target)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def baseline(self, build):
        """Once, before the first mutant: compiles what no mutant changes, and the sources as they are, which have to pass."""
        with self.guard:
            if self.folder:
                return
            folder = build.folder / re.sub(r"\W+", "_", self.name)
            folder.mkdir(parents=True, exist_ok=True)
            self.fixed = [folder / f"fixed{i}.o" for i, _ in enumerate(self.objects)]
            self.originals = [folder / f"source{i}.o" for i, _ in enumerate(self.sources)]
            for source, target in [*zip(self.objects, self.fixed), *zip(self.sources, self.originals)]:
                if not self.compile(source, target, build):
                    raise Unfit(f"{self.name}: {source} does not compile without a mutant")
            used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            if not self.run(self.originals, folder / "program", build):
                raise Unfit(f"{self.name} fails without a mutant")
            self.seconds = max(LEAST, round(10 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used)))
            self.folder = folder

    def run(self, objects, program, build):
        """Whether the tests pass."""
        libraries = [str(build.libraries[name]) for name in self.needs]
        command = [build.compiler, *map(str, [*objects, *self.fixed]), str(build.main), *libraries, "-o", str(program), "-pthread"]
        linked = subprocess.run(command, capture_output=True)
        if linked.returncode != 0:
            raise Unfit(f"{self.name} does not link:\n{linked.stderr.decode()[-2000:]}")
        try:
            limited = ["prlimit", f"--as={MOST_MEMORY}", f"--cpu={self.seconds}", str(program)]
            variables = os.environ | self.variables
            return subprocess.run(limited, capture_output=True, timeout=10 * LONGEST, env=variables, cwd=program.parent).returncode == 0
        except subprocess.TimeoutExpired:
            return False


class Unfit(Exception):
    """A check that says nothing of mutants."""


def made_of(type_of_loss, headers):
    """What a loss is made of: no header but those that it needs is compiled."""
    return [f"-DLOSS={type_of_loss}", *(word for header in headers for word in ("-include", header))]


def pair_check(name):
    parts = name.rstrip(">").split("<")
    headers = [header for header, loss in HEADERS.items() if loss in parts]
    headers += [f"prefopt/modifier/{part}.hpp" for part in parts[:-1]]
    return Check(f"pair {name}", ["oracle/pair_results.cpp"], "pair", made_of(TYPES.get(name, name), headers),
                 objects=["mutation/pair.cpp"], needs=["oracle", "kernels"], variables={"LOSS_NAME": name})  # fmt: skip


def list_check(name):
    headers = [header for header, loss in HEADERS.items() if loss == name]
    return Check(f"list {name}", ["oracle/list_results.cpp"], "list", made_of(TYPES[name], headers),
                 objects=["mutation/list.cpp", "list_loss/limits.cpp"], needs=["oracle", "kernels"], variables={"LOSS_NAME": name})  # fmt: skip


def token_checks(*names, sources=()):
    """Random losses of one surrogate against the oracle of tokens; `sources`: which of its files have the mutant in them, too."""
    oracle = ["token_loss/oracle.cpp", "token_loss/token_oracle.cpp"]
    return [Check(" ".join(["token", name, *sources]), ["mutation/token_made.cpp", *sources],
                  options=made_of(f"surrogate::{name}", [f"prefopt/surrogate/{name}.hpp"]),
                  objects=[o for o in oracle if o not in sources], needs=["oracle", "kernels"]) for name in names]  # fmt: skip


def sources_check(*sources, objects=(), needs=("oracle", "kernels"), defines=(), overlay=None):
    return Check(" ".join(sources), list(sources), overlay, objects=objects, needs=needs, defines=defines)


def pairs_of(*names):
    return [pair_check(name) for name in names]


def lists_of(*names):
    return [list_check(name) for name in names]


def native(*sources, objects=()):
    """Tests that compile their kernels, each for itself."""
    return [sources_check(source, objects=objects, overlay="native") for source in sources]


def without_avx512(*sources):
    """The same where the processor has more than the compiler may use: what stands beside is seen."""
    return [Check(f"{source} without AVX-512", [source], "native", ["-mno-avx512f"]) for source in sources]


def above(*sources, objects=()):
    """Tests whose kernels have no mutant in them: what is above a kernel is compiled sooner."""
    beside = lambda source: ["token_loss/native_made.cpp"] if source == "token_loss/kl_rewards.cpp" else []
    return [sources_check(source, objects=[*objects, *beside(source)], defines=["-DPREFOPT_AT_RUN_TIME"]) for source in sources]


def in_folder(folder, *names):
    return [f"{folder}/{name}.cpp" for name in names]


TOKENS = ["token_loss/oracle.cpp", "token_loss/identities.cpp", "token_loss/token_oracle.cpp"]
LOGITS = in_folder("logits", "special_values", "transforms", "rows", "half", "errors")


def engine_tests(*names):
    return above(*in_folder("engine", *names), objects=["engine/every_loss.cpp"])


def list_engine_tests(*names):
    return above(*in_folder("list_engine", *names), objects=["list_engine/every_list_loss.cpp"])


def kernels_of_few(*names):
    """The engine's tests over a few losses, which alone have the mutant in them."""
    return [Check("few losses", ["mutation/few_losses.cpp"], objects=in_folder("engine", *names), needs=["oracle", "kernels"])]


def of_the_batch():
    """Losses of which a pair's result depends on the whole batch."""
    return [sources_check("mutation/batch_losses.cpp", overlay="batch")]


def list_kernels_of_few(*names):
    return [Check("few list losses", ["mutation/few_list_losses.cpp"], objects=in_folder("list_engine", *names), needs=["oracle", "kernels"])]


def pair_kernels():
    return pairs_of("dpo", "simpo") + kernels_of_few("reduction", "invalid", "position") + native("engine/native_own_statistic.cpp", "engine/native_optional_columns.cpp")


def list_kernels():
    return lists_of("pro", "plackett_luce") + list_kernels_of_few("outputs", "position", "bounds", "report") + native("list_engine/native_own_loss.cpp")


LIST_TESTS = ["outputs", "errors", "invalid", "position", "report", "bounds"]


def every_token():
    """All surrogates and presets: slow to compile."""
    most = TOKENS + in_folder("token_loss", "extremes", "published_values", "off_policy", "position", "bars")
    return [sources_check("token_loss/native_made.cpp", "token_loss/errors.cpp", objects=most)]


def tokens():
    return token_checks("ppo_clip", "gspo_token", "kl_cov", sources=["token_loss/oracle.cpp"]) + every_token()


def surrogates_of(header):
    """The surrogates that include a header, the simplest first."""
    every = [f"prefopt/surrogate/{path.name}" for path in sorted((INCLUDE / "prefopt/surrogate").glob("*.hpp"))]
    including = sorted((h for h in every if header in closure(h)), key=lambda h: (h != header, len(closure(h))))
    return [pathlib.Path(h).stem for h in including[:2]]


def beside(header):
    """The test that has the header's name, where there is one."""
    short = pathlib.Path(header.removeprefix("prefopt/"))
    for folder in dict.fromkeys([short.parent.name, "token_loss"]):
        if (TESTS / folder / f"{short.stem}.cpp").is_file():
            return f"{folder}/{short.stem}.cpp"
    return None


# What sees a header, where it is neither all losses that include it nor the test of its name: globs, then checks, the
# fastest first.
SEEN_BY = [
    ("simd/math.hpp", lambda: native("simd/accuracy.cpp", "simd/special_values.cpp", "simd/own_scalars.cpp")),
    ("simd/half.hpp", lambda: native("simd/half.cpp", "logits/half.cpp", "logit_numbers/accuracy.cpp")),
    ("simd/transpose.hpp", lambda: lists_of("plackett_luce", "pro")),
    ("simd/lanes.hpp", lambda: pairs_of("dpo", "hinge") + lists_of("pro") + native("simd/accuracy.cpp", "simd/special_values.cpp")
                               + without_avx512("simd/accuracy.cpp")),
    ("simd/arithmetic.hpp", lambda: lists_of("plackett_luce") + pairs_of("dpo")),
    ("contract/observation.hpp", lambda: native("engine/native_own_statistic.cpp") + of_the_batch()),
    ("contract/parameter_values.hpp", lambda: engine_tests("any_loss") + list_engine_tests("any_list")),
    ("link/logistic.hpp", lambda: pairs_of("dpo", "cdpo", "lcpo<dpo>")),
    ("link/bounded.hpp", lambda: pairs_of("apo_zero", "smoothed<apo_zero>")),
    ("link/mixed.hpp", lambda: pairs_of("smoothed<hinge>", "labelled<hinge>")),
    ("link/successive_choice.hpp", lambda: lists_of("plackett_luce", "list_mle", "pro")),
    ("link/softmax.hpp", lambda: lists_of("adpo", "info_nce", "list_net")),
    ("link/link.hpp", lambda: pairs_of("dpo", "smoothed<hinge>", "lcpo<hinge>")),
    ("token/kl_penalty.hpp", tokens),
    ("token/sampler_correction.hpp", tokens),
    ("token/aggregation.hpp", tokens),
    ("token/token_report.hpp", tokens),
    ("token/check_mask.hpp", tokens),
    ("token/policy_gradient.hpp", tokens),
    ("token/moments.hpp", lambda: native("token_loss/advantages.cpp", "token_loss/gdpo_advantages.cpp")),
    ("token/*.hpp", lambda: native("token_loss/advantages.cpp")),
    ("contract/token_surrogate.hpp", tokens),
    ("engine/*token*.hpp", tokens),
    ("engine/surrogate_kernel.hpp", tokens),
    ("engine/list_engine.hpp", lambda: lists_of("pro") + list_engine_tests(*LIST_TESTS) + list_kernels()[1:]),
    ("engine/list_parts.hpp", lambda: lists_of("pro") + list_engine_tests(*LIST_TESTS) + list_kernels()[1:]),
    ("engine/list_*.hpp", list_kernels),
    ("engine/mixture.hpp", lambda: above("loss/mixtures.cpp")),
    ("engine/modified_apart.hpp", lambda: pairs_of("smoothed<apo_zero>", "lcpo<r_dpo>", "labelled<repo>", "unbiased<cost_model>", "smoothed<tdpo>", "lcpo<gaussian_bt>")),
    ("engine/rank_matched.hpp", of_the_batch),
    ("loss/aot*.hpp", of_the_batch),
    ("*/unpaired*.hpp", lambda: native("unpaired_loss/formulas.cpp", "unpaired_loss/engine.cpp", "unpaired_loss/reference_point.cpp")),
    ("engine/any_loss.hpp", lambda: engine_tests("any_loss") + list_engine_tests("any_list")),
    ("engine/make_loss.hpp", lambda: engine_tests("any_loss") + list_engine_tests("any_list")),
    ("engine/compiled_kernels.hpp", lambda: []),
    ("engine/kernel_choice.hpp", lambda: []),
    ("engine/at_run_time.hpp", lambda: []),
    ("engine/block.hpp", pair_kernels),
    ("engine/block_kernel.hpp", pair_kernels),
    ("engine/finish_block.hpp", pair_kernels),
    ("engine/pair_lanes.hpp", lambda: pair_kernels() + pairs_of("sft")),
    ("engine/inspect.hpp", lambda: pairs_of("dpo", "odpo", "labelled<dpo>", "lcpo<dpo>", "simpo") + pair_kernels()[2:]),
    ("engine/check.hpp", lambda: pairs_of("dpo") + engine_tests("errors", "every_refusal", "columns") + list_engine_tests("errors", "outputs")),
    ("engine/*.hpp", lambda: pairs_of("dpo") + engine_tests("errors", "reduction", "every_refusal", "invalid", "columns", "bounds", "position")
                             + pair_kernels()[1:] + native("engine/native_optional_columns.cpp") + above("ranks/pairs.cpp")),
    ("batch/tokens.hpp", tokens),
    ("batch/groups.hpp", lambda: list_engine_tests(*LIST_TESTS, "any_list")),
    ("batch/*.hpp", lambda: pairs_of("dpo", "simpo") + engine_tests("reduction", "errors", "columns", "every_refusal") + above("ranks/pairs.cpp")),
    ("group/*.hpp", lambda: lists_of("pro", "adpo") + list_kernels()[1:]),
    ("chain/*token*.hpp", lambda: native("chain/token_losses.cpp", "logprob/sequence.cpp", "logprob/token_loss.cpp")),
    ("chain/group_pairs.hpp", lambda: list_engine_tests("group_pairs")),
    ("chain/*.hpp", lambda: native(*in_folder("chain", "chain", "chain_errors", "transforms", "linear_policy", "vocabulary_shard", "sharing_ranks", "memory_budget"))),
    ("logprob/*filter*.hpp", lambda: native("chain/gradient_filter.cpp")),
    ("logprob/vocabulary_shard.hpp", lambda: native("chain/vocabulary_shard.cpp")),
    ("logprob/linear*.hpp", lambda: native(*in_folder("chain", "linear_plain", "linear", "linear_policy", "memory_budget", "vocabulary_shard"))),
    ("logprob/matrix_product.hpp", lambda: native("chain/linear_plain.cpp")),
    ("logprob/token_rows.hpp", lambda: native(*in_folder("chain", "chain", "chain_errors"))),
    ("logprob/tokens.hpp", lambda: above("logprob/sequence.cpp", "logprob/token_loss.cpp", "logprob/token_weights.cpp")),
    ("logprob/sequence.hpp", lambda: above("logprob/sequence.cpp", "logprob/token_loss.cpp")),
    ("logprob/logit_kernel.hpp", lambda: native(*LOGITS, "logit_numbers/accuracy.cpp", "logit_numbers/gradients.cpp", "logit_numbers/transforms.cpp")),
    ("logprob/row_*.hpp", lambda: native("simd/accuracy.cpp", "logit_numbers/accuracy.cpp", "logit_numbers/transforms.cpp", *LOGITS)),
    ("logprob/*.hpp", lambda: native(*LOGITS)),
    ("train/*.hpp", lambda: above(*in_folder("train", "pair_step", "list_step", "unpaired_step"))),
    ("view/*.hpp", lambda: above("view/column.cpp", "view/mdspan.cpp") + engine_tests("columns")),
    ("vectors/*.hpp", lambda: above("vectors/skew.cpp", "vectors/distance.cpp")),
    ("core/parts.hpp", lambda: above("engine/parts.cpp")),
    ("core/ranks.hpp", lambda: above("ranks/pairs.cpp", "ranks/groups.cpp", "ranks/refusals.cpp")),
    ("core/all_reduce.hpp", lambda: above("ranks/pairs.cpp", "ranks/groups.cpp", "ranks/refusals.cpp")),
    ("core/*.hpp", lambda: engine_tests("position", "errors", "any_loss") + native("chain/chain.cpp")),
    ("adapter/dlpack.hpp", lambda: native("adapter/dlpack.cpp")),
    ("adapter/eigen.hpp", lambda: above("logprob/sequence.cpp", "train/pair_step.cpp")),
]  # fmt: skip
MODIFIED = {"chosen_likelihood": ["with_nll<dpo>"], "labelled": ["dpo", "simpo"], "lcpo": ["dpo", "hinge", "simpo"], "smoothed": ["dpo", "hinge"],
            "unbiased": ["dpo", "hinge"], "with_nll": ["dpo", "simpo"]}  # fmt: skip
MOST_LOSSES = 4


def checks_of(header):
    """The checks that should see a mutant of the header, the fastest first."""
    short = header.removeprefix("prefopt/")
    stem = pathlib.Path(header).stem
    pairs, lists, single = losses("pair"), losses("list"), losses("unpaired")
    if short.startswith("modifier/"):
        return pairs_of(*(base if "<" in base else f"{stem}<{base}>" for base in MODIFIED.get(stem, [])))
    if short.startswith("surrogate/"):
        return token_checks(*surrogates_of(header)) + every_token()
    named = beside(header)
    for glob, make in SEEN_BY:
        if fnmatch.fnmatch(short, glob):
            first = above(named) if named and not glob.startswith(("engine", "simd")) else []
            return first + [check for check in make() if not first or check.name != named]
    if short.startswith("loss/"):
        name = HEADERS.get(header)
        if name in pairs:
            return [pair_check(name), *above("engine/every_reward.cpp"), *engine_tests("any_loss")]
        if name in lists:
            return [list_check(name)]
        if name in single:
            return native("unpaired_loss/formulas.cpp", "unpaired_loss/engine.cpp")
        return every_token() if family_of(closure(header)) == "token" else []
    including = lambda family: sorted((n for n, c in family.items() if header in c), key=lambda n: len(family[n]))
    checks = [pair_check(n) for n in including(pairs)[:MOST_LOSSES]]
    checks += [list_check(n) for n in including(lists)[: MOST_LOSSES - len(checks)]]
    return checks


class Build:
    def __init__(self, folder, compiler, shared):
        self.compiler, self.shared = compiler, shared
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mutants-", dir=folder))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.libraries = {"oracle": folder / "tests/oracle/libtest_oracle.a", "kernels": folder / "tests/libtest_kernel_units.a"}
        self.includes = ["-I/usr/include/eigen3"]
        self.cache = ["ccache"] if shutil.which("ccache") else []
        os.environ["CCACHE_SLOPPINESS"] = "pch_defines,time_macros,include_file_mtime,include_file_ctime"
        # Of no mutant, and the same in every run: with the command in the last line, by which one of another run is known.
        front = self.kept(folder / "front.hpp", [f"#include <{name}>" for name in PRECOMPILED], ".gch", [*FLAGS, "-x", "c++-header"])
        self.precompiled = ["-include", str(front).removesuffix(".gch")]
        self.main = self.kept(folder / "main.cpp", ["#define CATCH_CONFIG_MAIN", "#include <catch.hpp>"], ".o", ["-std=c++20", "-O0", "-c"])

    def kept(self, source, lines, suffix, options):
        text, target = "\n".join([*lines, f"// {self.compiler} {' '.join(options)}", ""]), pathlib.Path(f"{source}{suffix}")
        if not target.exists() or not source.exists() or source.read_text() != text:
            target.unlink(missing_ok=True)
            source.write_text(text)
            made = self.folder / target.name
            subprocess.run([self.compiler, *options, f"-I{TESTS}", source, "-o", made], check=True)
            made.replace(target)
        return target


def tried(mutant, header, text, checks, build):
    """killed, survived, same (the code of the processor is) or refused (by the compiler)."""
    with tempfile.TemporaryDirectory(dir=build.folder) as scratch:
        scratch = pathlib.Path(scratch)
        target = scratch / "include" / header
        target.parent.mkdir(parents=True)
        target.write_text(text[: mutant.begin] + (mutant.new or " ") + text[mutant.end :])
        is_same = True
        for check in checks:
            check.baseline(build)
            objects = []
            for i, source in enumerate(check.sources):
                objects.append(scratch / f"{i}.o")
                if not check.compile(source, objects[-1], build, scratch / "include"):
                    return "refused", check.name
            if all(o.read_bytes() == b.read_bytes() for o, b in zip(objects, check.originals)):
                continue
            is_same = False
            if not check.run(objects, scratch / "program", build):
                return "killed", check.name
        return ("same" if is_same else "survived"), ""


def read_reasons():
    """Survivors that are known: header and key to reason."""
    reasons, header = {}, None
    for line in (TESTS / "mutation/survivors.txt").read_text().splitlines():
        if line.startswith("== "):
            header = line[3:]
        elif line.startswith("  "):
            reasons[header, key] = line.strip()
        elif line and not line.startswith("#"):
            key = line
    return reasons


class Results:
    """What became of mutants in this run and earlier ones, of headers as they are: a line each in a file."""

    def __init__(self, path, texts):
        self.path, self.outcomes = path, {}
        self.sums = {header: hashlib.sha256(text.encode()).hexdigest()[:16] for header, text in texts.items()}
        for line in path.read_text().splitlines() if path.exists() else []:
            header, sum_of_text, begin, new, outcome, _, _ = json.loads(line)
            if self.sums.get(header) == sum_of_text:
                self.outcomes[header, begin, new] = outcome

    def of(self, header, mutant):
        return self.outcomes.get((header, mutant.begin, mutant.new))

    def add(self, header, mutant, outcome, check, seconds):
        self.outcomes[header, mutant.begin, mutant.new] = outcome
        with self.path.open("a") as file:
            line = [header, self.sums[header], mutant.begin, mutant.new, outcome, check, round(seconds, 1)]
            file.write(json.dumps(line) + "\n")


def try_baselines(checks, build, pool):
    """Each check without a mutant: how long it takes, and what is wrong with it."""

    def one(check):
        started, wrong = time.time(), ""
        try:
            check.baseline(build)
        except Unfit as unfit:
            wrong = f": {unfit}"
        print(f"{time.time() - started:6.1f} s  {check.name}{wrong}", flush=True)
        return not wrong

    return all(list(pool.map(one, checks)))


def main():
    parser = argparse.ArgumentParser(prog="mutate.sh", description=__doc__)
    parser.add_argument("headers", nargs="*", metavar="HEADER", help="as link/logistic.hpp, or a glob; by default all that have a check")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-mutate", help=argparse.SUPPRESS)
    parser.add_argument("--compiler", default="g++", help="by default g++")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="mutants at a time; by default one a processor")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="so many mutants, drawn at random; by default all")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what is drawn")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE",
                        help="mutants that were tried with these headers before are not tried again, but those that survived; by default build-mutate/mutants.jsonl")  # fmt: skip
    parser.add_argument("--wide", action="store_true", help="then every check of the header's folder, too: for survivors, some minutes each")
    parser.add_argument("--list", action="store_true", help="only prints the mutants")
    parser.add_argument("--baselines", action="store_true", help="only tries each check without a mutant")
    parser.add_argument("--sum", action="store_true", help="only sums up what became of mutants so far")
    chosen = parser.parse_args()

    every = sorted(str(p.relative_to(INCLUDE)) for p in (INCLUDE / "prefopt").glob("*/*.hpp"))
    asked = [h for h in every if not chosen.headers or any(fnmatch.fnmatch(h.removeprefix("prefopt/"), g) for g in chosen.headers)]
    if not asked:
        parser.error(f"no header is named {' '.join(chosen.headers)}")
    texts = {h: (INCLUDE / h).read_text() for h in asked}
    checks, known = {}, {}
    for header in asked if not chosen.list else []:
        folder = header.rsplit("/", 1)[0] if chosen.wide else None
        of_folder = (c for h in every if h.startswith(f"{folder}/") for c in checks_of(h))
        checks[header] = list(dict.fromkeys(known.setdefault(c.name, c) for c in [*checks_of(header), *of_folder]))
    work = [(h, m) for h in asked if chosen.list or checks[h] for m in mutants_of(texts[h])]
    if chosen.list:
        for header, mutant in work:
            print(f"{header}:{mutant.line}: {mutant.key()}")
        return 0
    unseen = [h for h in asked if not checks[h]]
    if chosen.headers and unseen:
        if not work:
            parser.error(f"no check sees {', '.join(unseen)}")
        print(f"no check sees {', '.join(unseen)}")

    folder = chosen.build.resolve()
    if chosen.baselines:
        build = Build(folder, chosen.compiler, ROOT.parent / "shared")
        with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
            return 0 if try_baselines(known.values(), build, pool) else 1
    reasons, results = read_reasons(), Results(chosen.results or folder / "mutants.jsonl", texts)
    if chosen.sum:
        return summary(work, results, reasons)
    if chosen.sample and chosen.sample < len(work):
        # In the order drawn: where a run is cut, what was tried is a sample, too. A header that changes leaves the others' as it is.
        drawn = lambda item: hashlib.sha256(f"{chosen.seed} {item[0]} {item[1].key()}".encode()).digest()
        work = sorted(work, key=drawn)[: chosen.sample]
    left = [(h, m) for h, m in work if results.of(h, m) in (None, "survived") and (results.of(h, m), (h, m.key()) in reasons) != ("survived", True)]
    build = Build(folder, chosen.compiler, ROOT.parent / "shared")
    began, done, guard, unfit = time.time(), 0, threading.Lock(), set()

    def one(item):
        nonlocal done
        header, mutant = item
        started = time.time()
        try:
            outcome, check = tried(mutant, header, texts[header], checks[header], build)
        except Unfit as wrong:
            with guard:
                if str(wrong) not in unfit:
                    unfit.add(str(wrong))
                    print(wrong, flush=True)
            return
        with guard:
            done += 1
            results.add(header, mutant, outcome, check, time.time() - started)
            if outcome == "survived" and (header, mutant.key()) not in reasons:
                print(f"survived: {header}:{mutant.line}: {mutant.key()}", flush=True)
            if sys.stderr.isatty():
                rest = (time.time() - began) / done * (len(left) - done)
                print(f"\r{done}/{len(left)}, {rest / 60:.0f} min left ", end="", file=sys.stderr, flush=True)

    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        list(pool.map(one, left))
    if unfit:
        print(f"{len(unfit)} checks say nothing of mutants")
        return 1
    return summary(work, results, reasons)


def summary(work, results, reasons):
    """The table of what became of the mutants; 0 where enough were killed."""
    headers, folders = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for header, mutant in work:
        outcome = results.of(header, mutant)
        if outcome == "survived" and (header, mutant.key()) in reasons:
            outcome = "equivalent"
        if outcome:
            headers[header.removeprefix("prefopt/")][outcome] += 1
            folders[header.split("/")[1]][outcome] += 1
    print(f"\n{'':40} mutants refused same equivalent killed survived")
    whole = sum(folders.values(), collections.Counter())
    for name, counts in [*sorted(headers.items()), *sorted(folders.items()), ("all", whole)]:
        numbers = f"{counts['refused']:7} {counts['same']:4} {counts['equivalent']:10} {counts['killed']:6} {counts['survived']:8}"
        print(f"{name:40} {sum(counts.values()):7} {numbers}")
    judged = whole["killed"] + whole["survived"]
    if judged == 0:
        print("no mutant changes the code: nothing was tested")
        return 1
    share = whole["killed"] / judged
    print(f"killed: {100 * share:.1f} % of {judged} that change the code and have no reason to survive")
    return 0 if share >= 0.97 else 1


if __name__ == "__main__":
    sys.exit(main())
