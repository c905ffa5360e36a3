"""The page: what a reader sees, what a browser is allowed to do, what was learned by looking."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from repcheck.places import place
from repcheck.reporter import named
from repcheck.tricks import TRICKS
from tests.sample_report import large, sample

VOID = {"wbr", "meta", "br", "link", "hr", "img", "input"}


class Page(HTMLParser):
    """A parsed page that fails on tags which do not close."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs, _ in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [str(attrs["id"]) for _, attrs, _ in self.tags if "id" in attrs]


def page(report: dict[str, Any] | None = None) -> Page:
    return Page(named("html").render(sample() if report is None else report))


@pytest.fixture(scope="module")
def shown() -> Page:
    return page()


def css() -> str:
    return (place("templates") / "report.css").read_text()


def test_the_policy_allows_exactly_the_style_sheet_of_the_page(shown):
    policy = next(m for m in shown.all("meta") if "http-equiv" in m)["content"]
    style = re.search(r"<style>(.*?)</style>", shown.html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "&" not in style
    assert "\\" not in style


def test_nothing_on_the_page_needs_what_the_policy_forbids(shown):
    forbidden = {"script", "img", "image", "iframe", "object", "embed", "link", "form", "use"}
    assert not forbidden & {tag for tag, _, _ in shown.tags}
    for _, attrs, _ in shown.tags:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
    assert "@import" not in css()
    assert "url(" not in shown.html


def test_links_lead_to_the_page_the_data_or_the_web(shown):
    ids = set(shown.ids)
    for attrs in shown.all("a"):
        href = attrs.get("href")
        assert href == "report.json" or href.startswith(("#", "https://", "http://"))
        assert not href.startswith("#") or href[1:] in ids, href


def test_ids_occur_once_and_are_permalinks(shown):
    assert len(shown.ids) == len(set(shown.ids))
    assert {"C1", "C2", "RC102", "RC205", "RC101", "RC902", "C1-RC102"} <= set(shown.ids)


def test_the_title_and_the_first_sentence_say_the_same(shown):
    title = re.search(r"<title>(.*?)</title>", shown.html)[1]
    og = next(m for m in shown.all("meta") if m.get("property") == "og:title")["content"]
    sentence = sample()["headline"]["sentence"]
    assert sentence in shown.text
    assert title == og
    assert sentence.startswith(title.rstrip("…"))


def test_counts_on_the_first_screen_are_those_of_the_data(shown):
    first = shown.text.split("What was claimed")[0]
    assert "4 claims1 ✓reproduced 1 ✗not reproduced 1 ?inconclusive 1 –not run" in first
    assert "43 tricks2 ✗flagged" in first
    assert "20 ended well, 1 failed" in first


def test_there_is_no_score_and_nothing_is_called_dishonest(shown):
    for word in ("score", "grade", "passed", "fraud", "dishonest", "cheat"):
        assert word not in shown.text.lower()


def test_changed_thresholds_stand_on_the_first_page(shown):
    first = shown.text.split("What was claimed")[0]
    assert "RC102 slack = 0.2 (default 0.05)" in first
    report = sample()
    report["thresholds"] = []
    assert "changed thresholds" not in page(report).text


def test_waived_findings_stay_on_the_page():
    report = sample()
    report["waived"] = [{"rule": "RC102", "reason": "agreed with the authors"}]
    assert "reason: agreed with the authors" in page(report).text


def test_claims_stand_headline_first_then_failed_then_the_rest():
    report = sample()
    report["claims"][0]["reproduction"] = dict(report["claims"][2]["reproduction"])
    shown = page(report)
    rows = re.findall(r'<th role="rowheader" scope="row"><a href="#(C\d)"', shown.html)
    assert rows == ["C1", "C3", "C4", "C2"]


def test_gains_and_values_stand_on_axes_of_their_own(shown):
    assert "Gain over the baseline, percentage points 0 is no gain" in shown.text
    assert "Value: rerun minus claimed, percentage points 0 is as claimed" in shown.text
    caption = re.search(r"<caption>(.*?)</caption>", shown.html, re.DOTALL)[1]
    assert "gains as they are" in caption
    assert "values as rerun minus claimed" in caption


def test_all_43_tricks_stand_in_six_groups_with_state_words(shown):
    for trick in TRICKS:
        assert f"{trick.number}</span> {trick.slug}</a>" in shown.html
    assert shown.html.count('<section class="chapter"') == 6
    grid = shown.html.split('<div class="chapters">')[1].split('id="flagged"')[0]
    for words in ("flagged, major", "undetermined: no rule yet", "undetermined: undeclared key",
                  "undetermined: needs a human", "not applicable", "error"):  # fmt: skip
        assert words in grid


def test_what_is_undetermined_names_the_missing_input(shown):
    after = shown.text.split("Undetermined, and what would decide it")[1]
    assert "declare methods.mlp.train.batch_size" in after
    assert "a rerun that observes it" in after
    assert "No rule yet for 36 tricks" in after


def test_flags_stand_open_and_clearances_are_folded(shown):
    flagged = next(tags for tag, attrs, tags in shown.tags if attrs.get("id") == "RC102")
    cleared = next(tags for tag, attrs, tags in shown.tags if attrs.get("id") == "RC902")
    assert "details" not in flagged
    assert "details" in cleared


def test_a_state_nobody_knows_never_looks_like_a_pass():
    report = sample()
    report["claims"][1]["reproduction"]["verdict"] = "perhaps"
    report["coverage"]["tricks"][0]["state"] = "skipped"
    shown = page(report)
    assert "?</i>perhaps" in shown.html
    assert '<article class="card un" id="C4"' in shown.html
    assert "?</i> skipped" in shown.html


def test_a_claim_that_was_not_run_says_why_and_what_arithmetic_says(shown):
    card = shown.html.split('id="C4"')[1].split("</article>")[0]
    assert "Not run: no command" in card
    assert "methods.human.train.command" in card
    assert "arithmetic on the reported numbers" in card
    assert "every printed accuracy is a multiple" in card
    assert "Observed" not in card


def test_a_card_holds_numbers_rule_evidence_and_how_to_settle_it(shown):
    card = shown.html.split('<article class="card bad" id="C1"')[1].split("</article>")[0]
    for words in ("26 points", "+21.4", "[+19.2, +23.6]", "90 % interval, Welch t, n = 5 + 5",
                  "claims.yaml:40:5", "Table 2", "above zero, but", "asymmetric, effect unknown",
                  "CUDA is not available", "runs/cnn0711", "python train.py --model cnn",
                  "How to settle it", "gain over logistic", "2 flagged, 0 cleared"):  # fmt: skip
        assert words in card, words


def test_failed_runs_are_shown_open(shown):
    failed = shown.html.split(">Failed</h3>")[1].split("<details>")[0]
    assert "CUDA is not available" in failed
    assert "2 attempts" in failed


def test_every_seed_is_drawn_and_told_apart(shown):
    drawn = shown.html.split('id="seeds"')[1].split('id="undeclared"')[0]
    assert len(re.findall(r"<title>seed \d+ \(fresh\)", drawn)) == 16
    assert len(re.findall(r"<title>seed 42 \(declared\)", drawn)) == 4
    assert "+ 1 failed" in drawn


def test_methods_stand_beside_each_other_and_missing_is_undeclared(shown):
    table = shown.html.split('<table class="matrix beside"')[1].split("</table>")[0]
    assert 'train.<wbr>length <b title="the methods differ">≠</b>' in table
    assert '<span class="mu">undeclared</span>' in table
    assert "36,000" in table


def test_provenance_names_what_was_not_rerun_and_how_to_repeat_it(shown):
    assert "human on mnist1d, seed 42: no command" in shown.text
    assert "repcheck check --yes claims.yaml" in shown.text
    assert "sha256 4be1" in shown.text


def test_drawings_have_no_view_box_and_places_in_percent(shown):
    stretched = [a for a in shown.all("svg") if "viewbox" in a]
    assert len(stretched) == 2  # only curves, whose lines keep their width and hold no text
    assert all(a["preserveaspectratio"] == "none" for a in stretched)
    assert not [tags for tag, _, tags in shown.tags if tag == "text" and tags.count("svg") > 1]
    for attrs in shown.all("circle"):
        assert attrs["cx"].endswith("%") or attrs["cx"] == "6"
    rows = [a for a in shown.all("svg") if str(a.get("class", "")).startswith("plot")]
    assert len(rows) == 4 + 8 + 4  # claims, arms with the gain as declared, seeds
    assert all(a.get("aria-hidden") == "true" and "width" not in a for a in rows)


def test_no_drawing_holds_a_link_or_claims_to_be_an_image(shown):
    assert not [tags for tag, _, tags in shown.tags if tag == "a" and "svg" in tags]
    assert not [attrs for _, attrs, _ in shown.tags if attrs.get("role") in {"img", "region"}]


def test_tables_that_become_grids_keep_their_roles(shown):
    starts = ('<table class="forest" role="table">', '<table class="matrix beside" role="table"')
    table = "".join(shown.html.split(start)[1].split("</table>")[0] for start in starts)
    for tag, role in (("tr", "row"), ("td", "cell"), ("tbody", "rowgroup")):
        assert re.findall(rf"<{tag}\b", table)
        assert not re.findall(rf"<{tag}(?![^>]*role=\"{role}\")[ >]", table)


def test_on_a_phone_plots_keep_a_width_and_intervals_one_line():
    sheet = css()
    assert re.search(r"\.forest \.pc \{[^}]*min-width: 11rem", sheet)
    assert re.search(r"\.iv \{[^}]*white-space: nowrap", sheet)
    assert "@media (max-width: 48rem)" in sheet


def test_legends_show_the_mark_and_never_name_a_colour(shown):
    legends = [words for words in shown.html.split('<svg class="key')[1:]]
    assert len(legends) == 4 + 1 + 3 + 2
    for legend in legends:
        assert not re.search("black|blue|orange|red |green|grey", legend[:400])


def test_colours_are_readable_in_both_themes():
    light, dark = re.findall(r":root \{([^}]*)\}", css())
    for theme in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w+)", theme))
        for name in ("fg", "mu", "ok", "bad", "un", "na", "lk"):
            assert _contrast(colours[name], colours["bg"]) >= 4.5, name
        for name in ("ok", "bad", "un"):
            assert _contrast(colours[name], colours["on"]) >= 4.5, name


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_print_leaves_out_the_navigation_and_what_is_folded():
    printed = css().split("@media print")[1]
    assert ".skip, nav { display: none; }" in printed
    assert "details:not([open]) { display: none; }" in printed


def test_bidirectional_and_control_characters_are_spelt_out():
    report = sample()
    report["claims"][0]["text"] = "gain\u202e%001\u2066 of \x1b[31m\ud800"
    html = named("html").render(report)
    assert "gain⟨U+202E⟩%001⟨U+2066⟩ of ⟨U+001B⟩[31m⟨U+D800⟩" in html
    html.encode("utf-8")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//evil.example",
     " javascript:alert(1)", "java\tscript:alert(1)", "https://", "http://a b", "http://[",
     "https://good.example/\u202e"],
)  # fmt: skip
def test_only_web_addresses_become_links(url):
    report = sample()
    report["paper"]["url"] = url
    assert all(not str(a["href"]).startswith(("java", "data", "//")) for a in page(report).all("a"))
    assert not [a for a in page(report).all("a") if "rel" in a]


def test_an_empty_report_is_a_page_too():
    report = sample()
    for key in ("claims", "judgements", "arms", "runs", "methods", "results"):
        report[key] = []
    report["headline"]["counts"] = {}
    shown = page(report)
    assert "Nothing was run" in shown.text
    assert "That is not a pass" in shown.text


def test_claim_ids_cannot_take_another_places_id():
    report = sample()
    for claim, name in zip(report["claims"], ("main", "RC102", "a b", "a-b"), strict=True):
        claim["id"] = name
    shown = page(report)
    assert len(shown.ids) == len(set(shown.ids))
    assert {"claim-main", "claim-RC102", "a-b", "claim-a-b"} <= set(shown.ids)


def test_a_large_report_is_cut_and_says_so():
    report = large(claims=300, runs=3_000)
    html = named("html").render(report)
    assert len(html) < 1_500_000
    assert html.count("<article") >= 300
    assert "more runs in" in html or "runs in <a" in html
    Page(html)


def test_a_claim_without_words_is_named_by_what_it_is_about():
    report = sample()
    report["claims"][0]["text"] = ""
    assert page(report).text.count("cnn: accuracy on mnist1d") == 3
    assert "cnn: accuracy on mnist1d" in named("terminal").render(report)


def test_reproduced_but_unfair_is_not_painted_as_good():
    report = sample()
    report["claims"][0]["reproduction"]["verdict"] = "reproduced"
    report["headline"]["verdict"] = "reproduced"
    shown = page(report)
    assert '<section id="verdict" class="verdict bad"' in shown.html
    assert '<article class="card bad" id="C1"' in shown.html
    assert '<article class="card un" id="C2"' in shown.html


def test_what_the_methods_share_is_folded_and_what_differs_is_open(shown):
    parts = shown.html.replace("<wbr>", "").split('id="budgets"')[1].split("<details>")
    table, folded = parts[:2]
    assert "train.length" in table
    assert "train.batch_size" in table
    assert "train.optimizer.name" not in table
    assert "3 lines on which they agree" in folded
    assert "train.optimizer.name" in folded


def test_what_nobody_declared_is_listed_and_called_no_finding(shown):
    assert "2 of 61 facts that the checks ask for are undeclared. That is no finding" in shown.text
    assert "methods.*.train.batch_size 2 times" in shown.text
