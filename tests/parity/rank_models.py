"""Worths of choix and arena-rank against those of prefopt_rank."""

import choix
import numpy
import pandas
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset

import agreement
import ours

ITEMS = 6


def comparisons(count=400):
    generator = numpy.random.default_rng(25)
    worth = generator.normal(size=ITEMS)
    pairs = [generator.choice(ITEMS, 2, replace=False) for _ in range(count)]
    return [
        tuple(map(int, pair if generator.random() < 1 / (1 + numpy.exp(worth[pair[1]] - worth[pair[0]])) else pair[::-1]))
        for pair in pairs
    ]


def rankings(count=200):
    generator = numpy.random.default_rng(26)
    worth = generator.normal(size=ITEMS)
    return [
        tuple(int(i) for i in numpy.argsort(-(worth + generator.gumbel(size=ITEMS)))[: generator.integers(2, ITEMS + 1)])
        for _ in range(count)
    ]


def centered(values):
    return values - numpy.mean(values)


def against(package, theirs, values, arguments, text, bound=1e-6):
    worths = ours.worths(arguments, text)
    result = numpy.array([worths[f"i{item}"] for item in range(ITEMS)])
    agreement.add(package, theirs, " ".join(arguments), agreement.difference(centered(values), centered(result)), None, bound)


def compare_all():
    data, ranked = comparisons(), rankings()
    text = "winner,loser\n" + "".join(f"i{won},i{lost}\n" for won, lost in data)
    lines = "".join(" > ".join(f"i{item}" for item in ranking) + "\n" for ranking in ranked)
    for name in ("ilsr_pairwise", "mm_pairwise", "opt_pairwise"):
        against(
            "choix",
            name,
            getattr(choix, name)(ITEMS, data, **({"tol": 1e-10} if name.startswith("opt") else {})),
            ["--zero", "i0"],
            text,
        )
    against(
        "choix", "opt_pairwise, alpha 0.5", choix.opt_pairwise(ITEMS, data, alpha=0.5, tol=1e-10), ["--prior", "normal:1"], text
    )
    for name in ("ilsr_rankings", "mm_rankings", "opt_rankings"):
        against(
            "choix",
            name,
            getattr(choix, name)(ITEMS, ranked, **({"tol": 1e-10} if name.startswith("opt") else {})),
            ["--rankings"],
            lines,
        )
    tied = [(f"i{won}", f"i{lost}", "tie" if row % 5 == 0 else "model_a") for row, (won, lost) in enumerate(data)]
    battles = pandas.DataFrame(tied, columns=["model_a", "model_b", "winner"])
    model = BradleyTerry(ITEMS)
    fitted = model.compute_ratings_and_cis(PairDataset.from_pandas(battles))
    rating = dict(zip(fitted["competitors"], numpy.asarray(fitted["ratings"])))
    against(
        "arena-rank",
        "BradleyTerry, ties",
        [rating[f"i{item}"] * numpy.log(10) / 400 for item in range(ITEMS)],
        ["--ties", "half"],
        battles.to_csv(index=False),
        bound=1e-5,
    )
