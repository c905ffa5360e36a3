"""What a merge says to a person: the page, and the lines on the terminal; from its data alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.cards import anchors
from repcheck.reporters.parts.forest import Mark, numbers, wording
from repcheck.reporters.parts.scale import Scale, Tick

Json = Mapping[str, Any]
WIDTH = 80
MOST_CLAIMS = 200
_TITLE = 160
_LARGE_Q = 1e6
_KEPT_OUT = words.Word(word="kept out", glyph="–", css="na")
_RUNS = ("planned", "ok", "failed", "unfinished")
_NEW_SITE = words.Word(word="", glyph="", css="na")
_SEEDS = {
    "all": "all sites ran the same seeds",
    "some": "some seeds were run at several sites",
    "none": "every site ran seeds of its own",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a forest: a site, the summary, or what a new site would see."""

    name: str
    about: str
    observed: str
    interval: str
    n: str
    verdict: words.Word
    detail: str
    mark: Mark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One number of a claim: every site, then all of them together."""

    claim: Json
    part: Json
    anchor: str
    said: str
    about: str
    claimed: str
    ticks: tuple[Tick, ...]
    sites: tuple[Row, ...]
    over: Row | None
    new: Row | None
    verdict: words.Word
    spread: tuple[tuple[str, str], ...]


def page(made: Json) -> str:
    """Return the page of a merge."""
    from repcheck.reporters.html import page as filled  # brings the template engine

    return filled("merge.html", view(made))


def view(made: Json) -> dict[str, Any]:
    """Return everything the page's template is filled from."""
    named = anchors(made["claims"])
    shown = made["claims"][:MOST_CLAIMS]
    return {
        "merge": made,
        "title": text.short(made["headline"]["sentence"].replace("`", ""), _TITLE),
        "path": "\0",
        "claims_name": "claims.yaml",
        "tone": words.verdict(made["headline"]["verdict"]).css,
        "counts": _counts(made),
        "panels": [
            _panel(claim, part, named[claim["id"]]) for claim in shown for part in claim["parts"]
        ],
        "more": len(made["claims"]) - len(shown),
        "runs": _runs(made),
        "seeds": _SEEDS,
    }


def _counts(made: Json) -> list[tuple[words.Word, int]]:
    counts = words.in_order(made["headline"]["counts"])
    return [(words.verdict(name), number) for name, number in counts.items()]


def _runs(made: Json) -> dict[str, int]:
    each = [site["runs"] for site in made["sites"]]
    return {name: sum(one[name] for one in each) for name in _RUNS}


# --- one number over all sites ------------------------------------------------------------------


def _panel(claim: Json, part: Json, anchor: str) -> Panel:
    over, places = part["over_sites"], text.decimals(part["claimed_text"])
    gain = part["axis"] == "gain"
    scale = _scale(part)
    verdict = words.verdict(part["verdict"])
    summary = new = None
    if over:
        summary = Row(
            name=f"over {text.count(over['k'], 'site')}",
            about=f"{over['test']}, {text.percent(over['level'])} interval",
            observed=text.fixed(over["estimate"], places, sign=gain),
            interval=text.interval(over["interval"], places, sign=gain),
            n="",
            verdict=verdict,
            detail=words.plain(part["detail"]),
            mark=_mark(scale, part, over["estimate"], over["interval"]),
        )
        new = _new_site(part, scale, places)
    claimed = numbers(part, str(claim.get("unit") or "")).claimed
    return Panel(
        claim=claim,
        part=part,
        anchor=anchor,
        said=text.short(wording(claim), 140),
        about=f"gain over {part['baseline']}" if gain else str(claim["metric"]),
        claimed=claimed,
        ticks=scale.ticks(),
        sites=tuple(_site(one, part, scale, places) for one in part["sites"]),
        over=summary,
        new=new,
        verdict=verdict,
        spread=tuple(_spread(part, places)),
    )


def _scale(part: Json) -> Scale:
    over = part["over_sites"] or {}
    core = [part["claimed"], over.get("estimate"), *(one["estimate"] for one in part["sites"])]
    core += [0.0] if part["axis"] == "gain" else []
    ends = [over.get("interval"), over.get("prediction")]
    ends += [one["interval"] for one in part["sites"]]
    return Scale.around(
        [one for one in core if one is not None], [end for each in ends for end in each or ()]
    )


def _mark(
    scale: Scale, part: Json, observed: float | None, ends: Sequence[float] | None
) -> Mark | None:
    if part["claimed"] is None:
        return None
    low, high = ends or (None, None)
    return Mark(
        claimed=scale.at(part["claimed"]),
        observed="" if observed is None else scale.at(observed),
        low="" if low is None else scale.at(low),
        high="" if high is None else scale.at(high),
        beyond_low=low is not None and not scale.holds(low),
        beyond_high=high is not None and not scale.holds(high),
    )


def _site(site: Json, part: Json, scale: Scale, places: int) -> Row:
    gain, out = part["axis"] == "gain", site["kept_out"]
    twin = f"every value is that of {site['same_as']}" if site["same_as"] else ""
    said = out
    if part["rule"] == f"Not run: {out}.":  # one reason for all sites stands there once
        said = f"by itself: {words.verdict(site['verdict']).word}"
    estimate = site["estimate"]
    return Row(
        name=site["site"],
        about=said or twin,
        observed="" if estimate is None else text.fixed(estimate, places, sign=gain),
        interval=text.interval(site["interval"], places, sign=gain),
        n=_n(site),
        verdict=_KEPT_OUT if out else words.verdict(site["verdict"]),
        detail="" if out else words.plain(site["detail"]),
        mark=_mark(scale, part, estimate, site["interval"]),
    )


def _n(site: Json) -> str:
    failed = sum(site["crashed"])
    said = " + ".join(str(n) for n in site["n"])
    return f"{said}, {failed} failed" if failed else said


def _new_site(part: Json, scale: Scale, places: int) -> Row | None:
    over = part["over_sites"]
    if over["prediction"] is None:
        return None
    within = over["claimed_within_prediction"]
    return Row(
        name="a new site would see",
        about=f"{text.percent(over['prediction_level'])} prediction interval",
        observed="",
        interval=text.interval(over["prediction"], places, sign=part["axis"] == "gain"),
        n="",
        verdict=_NEW_SITE,
        detail=f"the claimed number lies {'inside' if within else 'outside'}",
        mark=_mark(scale, part, None, over["prediction"]),
    )


def _spread(part: Json, places: int) -> Iterator[tuple[str, str]]:
    """Yield what is known of the spread between sites, term by term."""
    over = part["over_sites"]
    if over is None:
        return
    if over["tau"] is None:
        yield "Between-site sd", f"cannot be told from {over['k']} sites; three are needed"
    else:
        low, high = (text.fixed(end, places) for end in over["tau_interval"])
        said = f"{text.fixed(over['tau'], places)} [{low}, {high}]"
        level = text.percent(over["tau_level"])
        yield (
            "Between-site sd",
            f"{said} ({level}, Q profile); I² {text.percent(_round(over['i2']))}",
        )
    p = over["q_p"]
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    q = (
        f"{over['q']:.3g}"
        if over["q"] < _LARGE_Q
        else "beyond count (a seed gives one value a site)"
    )
    yield "Cochran’s Q", f"{q} on {over['q_df']} df, {shown}"
    yield "Seeds", _seeds(over)


def _seeds(over: Json) -> str:
    said = _SEEDS.get(over["seeds"], over["seeds"])
    if over["seeds"] == "none":
        return f"{said}: their draw averages out over sites"
    share = text.percent(_round(over["shares"]["seeds"]))
    return (
        f"{said}: their draw does not average out over sites; it is {share} of the error variance"
        " of the estimate. Other seeds at each site (`--seed-salt`) would"
    )


def _round(share: float) -> float:
    return round(share, 2)


# --- the terminal -------------------------------------------------------------------------------


Style = Callable[..., str]


def terminal(made: Json, *, coloured: bool) -> str:
    """Return a merge as text: each claim over sites and site by site, then the sentence."""
    style: Style = click.style if coloured else _plain
    lines: list[str] = []
    for claim in made["claims"][:MOST_CLAIMS]:
        for part in claim["parts"]:
            lines += [*_told(_panel(claim, part, ""), style), ""]
    left = len(made["claims"]) - MOST_CLAIMS
    lines += [f"and {text.count(left, 'more claim')} in merge.json", ""] if left > 0 else []
    for note in made["notes"]:
        lines += _wrapped(f"note: {text.line(note)}", "")
    if not made["code"]["same"]:
        lines += _wrapped(f"note: {text.line(made['code']['words'])}", "")
    runs, counts = _runs(made), [(word, n) for word, n in _counts(made) if n]
    said = ", ".join(f"{n} {word.word}" for word, n in counts)
    lines += [
        style(text.line(made["headline"]["sentence"]), bold=True),
        f"{text.count(len(made['claims']), 'claim')}: {said}.",
        f"{text.count(len(made['sites']), 'site')}, {text.count(runs['planned'], 'run')}:"
        f" {runs['ok']} ended well, {runs['failed']} failed{_unfinished(runs)}.",
    ]
    return "\n".join(lines) + "\n"


def _unfinished(runs: Mapping[str, int]) -> str:
    return f", {runs['unfinished']} not finished" if runs["unfinished"] else ""


def _plain(said: str, **_: object) -> str:
    return said


def _told(panel: Panel, style: Style) -> Iterator[str]:
    word = panel.verdict
    badge = style(f"{word.glyph} {word.word}", fg=word.colour or None, bold=True)
    detail = words.plain(panel.part["detail"])
    name = style(text.line(panel.claim["id"]), bold=True)
    yield f"{name} {badge}{f' ({detail})' if detail else ''}: {panel.said}"
    claimed = f"claimed {panel.claimed or 'no number'} ({text.line(panel.about)})"
    if panel.over is None:
        yield from _wrapped(f"{claimed}; {text.line(panel.part['rule'])}", "  ")
    else:
        seen = f"{panel.over.observed} {panel.over.interval}"
        level = text.percent(panel.part["over_sites"]["level"])
        yield from _wrapped(f"{claimed}; {panel.over.name}: {seen} ({level})", "  ")
    if panel.new is not None:
        spread = f"between-site sd {panel.spread[0][1]}; a new site would see {panel.new.interval}"
        yield from _wrapped(f"{spread} (95 %)", "  ")
    elif panel.over is not None:
        yield from _wrapped(f"between-site sd {panel.spread[0][1]}", "  ")
    for row in panel.sites:
        yield from _wrapped(_site_line(row), "  ", style=style, word=row.verdict)
    for caveat in panel.part["caveats"]:
        yield from _wrapped(f"caveat: {text.line(caveat)}", "  ")


def _site_line(row: Row) -> str:
    name, about = text.line(row.name), text.line(row.about)
    if row.verdict is _KEPT_OUT:
        return f"{row.verdict.glyph} {name}: kept out: {about}"
    detail = f" ({row.detail})" if row.detail else ""
    detail += f"; {about}" if about else ""
    seen = f"{row.observed} {row.interval}, n = {row.n}"
    return f"{row.verdict.glyph} {name}: {seen}, {row.verdict.word}{detail}"


def _wrapped(
    told: str, indent: str, *, style: Style = _plain, word: words.Word | None = None
) -> list[str]:
    lines = textwrap.wrap(told, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
    if word is not None and word.glyph:
        lines[0] = lines[0].replace(word.glyph, style(word.glyph, fg=word.colour or None), 1)
    return lines
