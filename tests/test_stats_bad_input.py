"""Every public function of the statistics, found by looking, under numbers nobody should give it.

Each is called with a good value for every parameter, then with one of them replaced by every bad
value of its type. It answers without a NaN or refuses with a ValueError in words, and never warns.
"""

from __future__ import annotations

import contextlib
import math
import pkgutil
import subprocess
import sys
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from importlib import import_module
from inspect import Parameter, isclass, isfunction, signature
from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from repcheck import stats
from repcheck.stats.arrays import Floats, finite
from repcheck.stats.compare import Summary
from repcheck.stats.decide import decide_direction
from repcheck.stats.sample_size import one_arm

RUNS = [0.7, -1.6, 0.2, 1.2, 0.1]
PLAIN = {float: 0.5, int: 3, str: "93.4", bool: True}
MAPPINGS = (Mapping, dict)
DEPTH = 2
VALUES = {
    "alpha": 0.05, "level": 0.95, "confidence": 0.8, "df": 3.0, "draws": 200, "share": 0.5,
    "correlation": 0.5, "se": 0.5, "sd": 0.5, "claimed": 2.0, "unit": 0.1, "rate": 0.1, "low": 0,
    "high": 7, "support": (-2.0, 2.0), "looks": (3, 5), "alphas": (0.01, 0.03), "n_a": 3, "n_b": 3,
    "ps": [0.01, 0.2, 0.9], "sizes": (3, 4), "budgets": (1, 2), "shares_below": [0.9, 0.5, 0.8],
    "mean_ranks": [1.0, 2.0, 3.0], "datasets": 6, "methods": 3, "computed": 9, "improved": 4,
    "reported_improved": 2, "above": 1, "reruns": 5, "tries": 5, "k": 2, "m": 2, "n": 3,
    "kind": "sample", "max_n": 10, "text": "93.4", "p": "p < .05", "rank": 1, "of": "a",
    "bold": ("a",), "seeds": 3, "theta": 0.5, "crash_share": 0.2, "power": 0.8, "rho": 0.5,
    "crashed": 0, "at_most": None, "at_least": 0.5, "repeats": 200, "made": 20,
    "gamma": 0.75, "errors": [0.1, 0.2, 0.1, 0.3, 0.2], "counts": (0, 1), "others": (),
    "names": ("ours", "theirs"),
}  # fmt: skip
# Where the name of a parameter means something else than it mostly does.
CELL = Summary(mean=0.5, sd=0.5, n=3)
SETS = [frozenset(one) for one in ("", "a", "b", "ab")]
CODES = np.array([0, 1, 2, 1, 0])
CHANCES = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2], [1, 0, 0]])
IMAGES = np.linspace(0, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
SPECIAL: Mapping[str, Mapping[str, Any]] = {
    "aggregate.iqm_intervals": {"methods": {"a": [RUNS, RUNS[:3]], "b": [RUNS, RUNS]}},
    "arrays.finite": {"ndim": 1},
    "arrays.units_of_rows": {"rows": np.array([RUNS, RUNS])},
    "chosen.power_of_ranks": {"reruns": [5, 5, 5]},
    "collapse.steady": {
        "decide": lambda ours, theirs, _: decide_direction(ours, theirs or ours, unit=0.1),
    },
    "forensics_patterns.chi_squared_tail": {"df": 3},
    "forensics_tests.stated_p": {"text": "p < .05"},
    "sites.SiteArm": {"sign": 1},
    "waterfall.contrast": {"weighted": [(1.0, CELL), (-1.0, CELL)]},
    "waterfall.shapley": {"cells": dict.fromkeys(SETS, CELL)},
    "attribution.attribute": {"pairs": None},
    "attribution.attribute_claim": {"pairs": None},
    "cells.selective": {"reported": 2},
    "chosen.log_likelihood": {"above": [1, 2], "reruns": [5, 5], "tries": [1.0, 5.0]},
    "chosen.rank_of": {"reruns": RUNS},
    "chosen.Rank": {},
    "chosen_normal.bayes_factor_of_max": {"reruns": RUNS},
    "chosen_normal.prediction_p": {"reruns": RUNS},
    "chosen_normal.shared_p": {"reported": (90.0, 91.0), "reruns": [RUNS, RUNS]},
    "chosen_normal.top_of": {"reruns": RUNS},
    "gain.decide_gain": {"pairs": None},
    "panel.classification": {"label": CODES, "pred": CODES[::-1], "classes": 3},
    "panel.of_the_right": {"label": CODES, "probabilities": CHANCES},
    "panel.calibration_error": {"label": CODES, "probabilities": CHANCES},
    "panel.sequences": {"label": CODES, "pred": CODES[::-1]},
    "panel.restoration": {
        "label": IMAGES,
        "pred": IMAGES[::-1],
        "data_range": 1.0,
        "borders": (1,),
    },
    "panel.image_errors": {"label": IMAGES, "pred": IMAGES[::-1]},
    "raters.alpha": {"units": CODES, "values": np.array([1.0, 2.0, 2.0, 1.0, 3.0])},
    "raters.gained": {"raters": CODES, "items": CODES[::-1]},
    "raters.without_one": {"raters": CODES},
    "raters.half_p": {"hits": 2, "of": 5},
    "raters.missing_where_worse": {"gains": RUNS, "missing": [1, 0, 2, 0, 0]},
    "shown.shown": {"places": np.array([1, 3])},
}
FLOATS = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 0.0, -1.0, True)
WHOLE = (0, 1, -1, -(10**6), 10**5)
# Of what has no checks of its own, since only the package makes it: extreme, and not nonsense.
FAR, COUNTS = (1e300, 1e-300), (2, 1000)
# So much work is what is asked for.
EFFORT = {"steps", "sizes", "width", "repeats", "seed_cap", "fresh"}
# They take what `random_effects` has scaled.
SCALED = {f"random_effects.{one}" for one in ("generalised_q", "paule_mandel", "hartung_knapp")}
TEXTS = ("", "nan", "inf", "93,4", "~93", ">99", "-", "1e400", "-0.0", ".", "9" * 400)
FRACTIONS = (Fraction(0), Fraction(-1), Fraction(10**300), Fraction(1, 10**300))
PLAIN_BAD = {float: FLOATS, int: WHOLE, str: TEXTS, Fraction: FRACTIONS}
UNCHECKED_BAD = {float: FAR, int: COUNTS, str: TEXTS[:1], Fraction: FRACTIONS[2:]}
MANY, LISTED = np.random.default_rng(1).normal(size=1_000_000), 100_000
LISTS: Mapping[str, Any] = {
    "none": [], "one": [0.5], "NaN": [math.nan, 1.0, 2.0], "infinite": [1.0, -math.inf, 2.0],
    "constant": [0.3] * 5, "huge": [1e300, -1e300, 5e299], "tiny": [1e-300, 2e-300, -3e-300],
    "beyond any": [1.7e308, -1.7e308, 1.6e308], "denormal": [5e-324, 0.0, 1e-323],
    "far out": [1e16, 1e16 + 2, 1e16 + 4], "negative": [-1.0, -2.0, -3.0],
    "booleans": [True, False, True],
}  # fmt: skip
NO_NUMBERS: Sequence[Any] = (
    [1.0, None, 2.0], ["a", "b"], [[1.0, 2.0], [3.0, 4.0]], [[1.0], [2.0, 3.0]],
)  # fmt: skip
ARRAYS: Sequence[Any] = (
    [10**400, 1, 2],
    np.array([1.0, {}, 2.0], dtype=object), np.array([1.0, None], dtype=object),
    np.array([1j, 1.0]), np.ma.masked_array([1.0, 2.0, 9.0], mask=[False, False, True]),
    np.array(3.0), np.zeros((2, 0)), np.array([1.0, 2.0], dtype=np.float32),
    np.array([250, 255], dtype=np.uint8),
)  # fmt: skip


def modules() -> Iterator[types.ModuleType]:
    for found in pkgutil.iter_modules(stats.__path__):
        yield import_module(f"repcheck.stats.{found.name}")


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every function, every class that checks what it is given, and their other makers."""
    for module in modules():
        short = module.__name__.rpartition(".")[2]
        for name, one in vars(module).items():
            if name.startswith("_") or getattr(one, "__module__", "") != module.__name__:
                continue
            if isfunction(one) or (hasattr(one, "cache_info") and callable(one)):
                yield f"{short}.{name}", one
            elif isclass(one) and is_dataclass(one):
                if "__post_init__" in vars(one):
                    yield f"{short}.{name}", one
                for made, maker in vars(one).items():
                    if isinstance(maker, classmethod) and not made.startswith("_"):
                        yield f"{short}.{name}.{made}", getattr(one, made)


FOUND = dict(public())


# --- good values, by type ---------------------------------------------------------------------


def good(hint: Any, name: str, where: str) -> Any:
    """Return a value of a type that makes sense together with those of the other parameters."""
    inside = typing.get_args(hint)
    if name in SPECIAL.get(where, {}):
        return SPECIAL[where][name]
    if hint is Fraction:
        return Fraction(1, 100) if "unit" in name else Fraction(1, 2)
    if name in VALUES and not is_dataclass(hint) and typing.get_origin(hint) not in MAPPINGS:
        return VALUES[name]
    if hint in (ArrayLike, Floats):
        return np.array(RUNS)
    if np.random.Generator in (hint, *inside):
        return np.random.default_rng(1)
    return good_class(hint) if isinstance(hint, type) else good_many(hint, name, where)


def good_class(hint: type) -> Any:
    if is_dataclass(hint):
        return built(hint)
    return next(iter(hint)) if issubclass(hint, Enum) else PLAIN.get(hint, "a")


def good_many(hint: Any, name: str, where: str) -> Any:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in MAPPINGS:
        return {key: good(inside[1], "", where) for key in "abc"}
    if origin is Callable:
        return one_arm
    if origin in (tuple, Sequence):
        of = [one for one in inside if one is not Ellipsis]
        if of == [float]:
            return tuple(RUNS)
        return tuple(good(one, "", where) for one in (of if len(of) > 1 else of * 3))
    if inside and origin is not typing.Literal:
        return good(inside[0], name, where)
    return inside[0] if inside else "a"


def built(one: type, **other: Any) -> Any:
    """Return a dataclass of good values, but for the others given."""
    hints, where = typing.get_type_hints(one), f"{one.__module__.split('.')[-1]}.{one.__name__}"
    made = {part.name: good(hints[part.name], part.name, where) for part in fields(one)}
    return one(**made | other)


def arguments(name: str) -> dict[str, Any]:
    """Return a good value for each parameter; its own default where nothing else is known."""
    found, defaults = {}, signature(FOUND[name]).parameters
    for part, hint in hinted(name).items():
        known = part in VALUES or part in SPECIAL.get(name, {}) or "Generator" in str(hint)
        default = defaults[part].default
        use_own = default is Parameter.empty or known
        found[part] = good(hint, part, name) if use_own else default
    return found


def hinted(name: str) -> dict[str, Any]:
    """Return the type of each parameter."""
    one = FOUND[name]
    made = getattr(one, "__wrapped__", one.__init__ if isinstance(one, type) else one)
    hints = typing.get_type_hints(made)
    return {part: hints[part] for part in signature(one).parameters}


def called(name: str, given: Mapping[str, Any]) -> Any:
    """Call it with one value for each parameter, and with three of them for a starred one."""
    placed, named = [], {}
    for part in signature(FOUND[name]).parameters.values():
        if part.kind is Parameter.VAR_POSITIONAL:
            placed += [given[part.name]] * 3
        elif part.kind is Parameter.KEYWORD_ONLY:
            named[part.name] = given[part.name]
        else:
            placed.append(given[part.name])
    found = FOUND[name](*placed, **named)
    return list(islice(found, 1000)) if isinstance(found, Iterator) else found


# --- bad values, by type ----------------------------------------------------------------------


def bad(hint: Any, *, checked: bool = True, depth: int = 0) -> Iterator[Any]:
    """Yield every bad value of a type; of a class, those that it does not refuse itself."""
    if hint == ArrayLike:
        yield from (*LISTS.values(), *NO_NUMBERS, *ARRAYS)
    elif isinstance(hint, type) and hint in PLAIN_BAD:
        yield from PLAIN_BAD[hint] if checked else UNCHECKED_BAD[hint]
    elif isinstance(hint, type) and is_dataclass(hint) and depth < DEPTH:
        yield from bad_members(hint, depth)
    elif typing.get_origin(hint) is not np.ndarray:  # which is made from what was checked
        yield from bad_many(hint, checked=checked, depth=depth)


def bad_many(hint: Any, *, checked: bool, depth: int) -> Iterator[Any]:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in MAPPINGS:
        yield {}
        for value in bad(inside[1], checked=checked, depth=depth + 1):
            yield {"a": value, "b": good(inside[1], "", ""), "c": value}
    elif origin in (tuple, Sequence):
        yield from in_order(inside[0], checked=checked, depth=depth)
    elif origin is not Callable:
        for one in inside:
            if one is type(None):
                yield None
            elif not isinstance(one, str):
                yield from bad(one, checked=checked, depth=depth)


def bad_members(one: type, depth: int) -> Iterator[Any]:
    checked = "__post_init__" in vars(one)
    for part, of in typing.get_type_hints(one).items():
        for value in bad(of, checked=checked, depth=depth + 1):
            if (part in EFFORT and value == 10**5) or ("unit" in part and value == FRACTIONS[2]):
                continue  # a number that ends before its point: nothing is printed so
            with contextlib.suppress(ValueError, TypeError):
                yield built(one, **{part: value})


def in_order(hint: Any, *, checked: bool, depth: int) -> Iterator[Any]:
    """Yield bad sequences: of none, of one, of bad members."""
    if hint is float and checked:
        yield from LISTS.values()
    if hint is float and depth == 0:
        yield from NO_NUMBERS
    if checked:
        yield ()
    yield (good(hint, "", ""),)
    for value in bad(hint, checked=checked, depth=depth + 1):
        yield (value, good(hint, "", ""), value)


def numbers(found: Any) -> Iterator[float]:
    """Yield every number in an answer."""
    if is_dataclass(found) and not isinstance(found, type):
        found = [getattr(found, part.name) for part in fields(found)]
    if isinstance(found, Mapping):
        found = list(found.values())
    if isinstance(found, float):
        yield found
    elif isinstance(found, np.ndarray):
        yield from found.ravel().tolist()
    elif isinstance(found, Sequence) and not isinstance(found, str):
        for one in found:
            yield from numbers(one)


# --- the tests --------------------------------------------------------------------------------


def test_functions_are_found_in_every_module() -> None:
    bare = {module.__name__.split(".")[-1] for module in modules()} - {
        name.split(".")[0] for name in FOUND
    }
    assert bare == {"decide"}  # which only gathers names
    assert len(FOUND) > 100


@pytest.mark.parametrize("name", FOUND)
def test_a_good_value_for_every_parameter_is_answered(name: str) -> None:
    found = called(name, arguments(name))
    assert not any(math.isnan(one) for one in numbers(found))


@pytest.mark.parametrize("name", [name for name in FOUND if name not in SCALED])
def test_a_bad_value_is_answered_without_nan_or_refused_in_words(name: str) -> None:
    """A helper may hand on the NaN that it is given as such, and only that."""
    failed = []
    for part, hint in hinted(name).items():
        for value in bad(hint):
            if part in EFFORT and repr(10**5) in repr(value):
                continue
            no_number = any(value is one for one in NO_NUMBERS)
            wrong = complaint(name, arguments(name) | {part: value}, no_number=no_number)
            if wrong and not (wrong == "NaN" and isinstance(value, float) and value != value):
                failed.append(f"{part} = {value!r:.80}: {wrong}")
    assert failed == []


def complaint(name: str, given: Mapping[str, Any], *, no_number: bool) -> str:
    """Return what is wrong with an answer, or nothing.

    What is no number at all where a list of them is typed may be a TypeError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = called(name, given)
        except ValueError as refused:
            return "" if len(str(refused).split()) > 2 else f"refused with {refused!s}"
        except Exception as error:
            told = no_number and isinstance(error, TypeError)
            return "" if told else f"{type(error).__name__}: {error}"
    return "NaN" if any(math.isnan(one) for one in numbers(found)) else ""


def takes_many(hint: Any) -> bool:
    return hint in (ArrayLike, Sequence[float], Sequence[ArrayLike])


@pytest.mark.parametrize(
    "name", [one for one in FOUND if any(map(takes_many, hinted(one).values()))]
)
def test_a_million_values_are_answered_or_refused_in_words(name: str) -> None:
    for part, hint in hinted(name).items():
        many = {
            ArrayLike: MANY, Sequence[float]: MANY[:LISTED].tolist(), Sequence[ArrayLike]: [MANY],
        }  # fmt: skip
        if takes_many(hint):
            default = signature(FOUND[name]).parameters.get("draws")
            draws = {"draws": default.default} if default else {}
            given = arguments(name) | draws | {part: many[hint]}
            assert complaint(name, given, no_number=False) == ""


def test_a_million_values_have_the_mean_and_spread_that_numpy_says() -> None:
    found = Summary.of(MANY.tolist())
    assert (found.mean, found.sd) == pytest.approx((MANY.mean(), MANY.std(ddof=1)), rel=1e-9)


def test_a_spread_far_from_zero_is_kept_until_doubles_lose_it() -> None:
    for offset in (0.0, 1e6, 1e9):
        found = Summary.of([offset + value for value in (1.0, 2.0, 4.0)])
        assert found.sd == pytest.approx(math.sqrt(7 / 3), rel=1e-12)
    # Beyond 1e-12 of the value a spread is rounding: said as none, and so compared exactly.
    assert Summary.of([1e16, 1e16 + 2, 1e16 + 4]).sd == 0.0
    for size in (1e300, 1e-300):
        found = Summary.of([size, 2 * size, 4 * size])
        assert found.sd == pytest.approx(size * math.sqrt(7 / 3), rel=1e-12)


def test_booleans_are_counts_of_what_was_right() -> None:
    assert Summary.of([True, False, True, True]).mean == 0.75
    assert finite("answers", np.array([True, False])).tolist() == [1.0, 0.0]


def test_no_part_of_an_array_is_dropped_in_silence() -> None:
    for lost in (np.array([1 + 1j, 2.0]), np.ma.masked_array([1.0, 2.0], mask=[False, True])):
        with pytest.raises(ValueError, match="neither complex nor masked"):
            finite("the scores", lost)
    with pytest.raises(ValueError, match="the scores must be finite numbers, not NaN"):
        finite("the scores", np.array([1.0, None], dtype=object))
    with pytest.raises(ValueError, match="the scores must be plain numbers"):
        finite("the scores", np.array([1.0, {}], dtype=object))


def test_no_module_of_the_statistics_loads_the_slow_half_of_scipy() -> None:
    names = ", ".join(module.__name__ for module in modules())
    code = (
        f"import sys, {names}\n"
        "slow = ('scipy.stats', 'scipy.optimize', 'pandas', 'torch')\n"
        "print([one for one in slow if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
