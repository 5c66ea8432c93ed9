"""The pages as a person meets them: from a disk, in Chromium, with and without script, on a phone, on paper."""

import shutil
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from hrtech.facts import (
    Chart,
    DataTable,
    Edge,
    Fact,
    FactList,
    FormField,
    Heading,
    JudgementForm,
    Network,
    Node,
    Report,
    Text,
    facts_to_frame,
)
from hrtech.pages import LINEAGE_COLUMNS, charts, render_casework, render_evidence

CHROMIUM = shutil.which("chromium")
#: Chromium must not try to reach its own services, which a closed network refuses.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
browser_test = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
STUDY = "studies/cases.html"

ROWS = [
    {
        "form": f"Form {letter}",
        "n": 100 * place,
        "lo": 100 * place - 9,
        "hi": 100 * place + 9,
        "true": 100 * place + 3,
        "day": f"2023-0{place}-01",
        "main": place == 1,
    }
    for place, letter in enumerate("ABCDEF", start=1)
]
NETWORK = Network(
    "Owners",
    (Node("1", "One Ltd", 0, 0, "Firm"), Node("2", "Two", 1, 1, "Person", True)),
    (Edge("2", "1", "owns", True),),
    "One person owns a firm.",
    ("cases/total",),
)
FACTS = [
    Fact(
        "cases/total",
        "{value} people ({low} to {high}).",
        2100,
        "people",
        2080,
        2120,
        "noise",
        "cases/counts",
    ),
    Fact("cases/share", "{value} of them were women.", 0.417, "proportion", source_asset="cases/counts"),
]


def report(promise="differential-privacy", *more):
    cited = ("cases/total",)
    drawn = {
        "Bars": charts.bars(ROWS, category="form", value="n", low="lo", high="hi"),
        "Time": charts.timeline(
            ROWS, time="day", value="n", low="lo", high="hi", event="2023-03-15", event_label="Law"
        ),
        "Forest": charts.forest(ROWS, label="form", estimate="n", low="lo", high="hi", highlighted="main"),
        "Curve": charts.specification_curve(ROWS, estimate="n", low="lo", high="hi", choices=["form"]),
        "Compared": charts.dots_compared(ROWS, category="form", released="n", truth="true"),
        "Heat": charts.heatmap(ROWS, x="day", y="form", value="n"),
    }
    return Report(
        "cases",
        "Who is described",
        "{{fact:cases/total}} people.",
        promise,
        (
            FactList(("cases/total", "cases/share")),
            Heading("Charts"),
            *(Chart(title, spec, f"{title} in words.", cited) for title, spec in drawn.items()),
            Heading("Details", 3),
            Text("Prose with **{{fact:cases/share}}**.\n\n- and a list"),
            Heading("Networks"),
            NETWORK,
            Heading("Tables"),
            DataTable("All", ("Form", "Number"), tuple((row["form"], row["n"]) for row in ROWS), cited),
            *more,
        ),
    )


def lineage():
    row = dict.fromkeys(LINEAGE_COLUMNS)
    made = {
        "asset": "cases/counts",
        "zone": "released",
        "barrier": "differential-privacy",
        "epsilon": 0.5,
        "delta": 1e-6,
    }
    known = {"population": "people", "release_key": "ab" * 32, "ledger_sequence": 3, "ledger_head": "cd" * 32}
    return pd.DataFrame(
        [
            {**row, "asset": "cases/records", "zone": "restricted", "parents": []},
            {**row, **made, **known, "run_id": "r1", "data_version": "v1", "parents": ["cases/records"]},
        ]
    )


def write(pages, folder):
    for path, content in zip(pages["path"], pages["content"], strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pages = render_evidence(
        [report()],
        facts_to_frame(FACTS),
        lineage(),
        title="Evidence",
        summary="What is known.",
        publisher="us",
        simulated=True,
    )
    return write(pages, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def casework(tmp_path_factory):
    fields = (
        FormField("same", "Same person", "choice", ("yes", "no"), True, "As far as you can tell."),
        FormField("why", "Why", "long_text", required=True),
        FormField("sure", "How sure, in percent", "number"),
        FormField("pair", "Pair", "hidden", value="a|b"),
    )
    form = JudgementForm("Same?", "/casework/cases/judge", fields)
    pages = render_casework(report("restricted", form), facts_to_frame(FACTS), lineage())
    return write(pages, tmp_path_factory.mktemp("casework"))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Open a file; afterwards, nothing was said on the console and nothing was asked of anybody."""
    opened, heard = [], []

    def go(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: _note_request(request.url, heard))
        page.goto(path.as_uri())
        return page

    yield go
    for context in opened:
        context.close()
    assert heard == []


def _note_request(url, heard):
    if urlsplit(url).scheme not in ("file", "data"):
        heard.append(f"request to {url}")


@browser_test
@pytest.mark.browser
def test_charts_come_alive_from_a_disk(site, visit):
    page = visit(site / STUDY)
    page.wait_for_function("document.querySelectorAll('figure.is-live').length === 6")
    assert page.locator("figure[data-chart] .live svg").count() == 6
    assert page.locator("figure[data-chart] .still:visible").count() == 0
    page.locator(".live path[aria-roledescription=bar]").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "Form A" in page.locator("#vg-tooltip-element").inner_text()


@browser_test
@pytest.mark.browser
def test_without_script_pictures_and_tables_are_there(site, visit):
    page = visit(site / STUDY, java_script_enabled=False)
    assert page.locator(".still svg:visible").count() == 7
    page.locator("figure details summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("figure details table").first.is_visible()
    assert page.locator("figure details table").first.locator("tbody tr").count() == len(ROWS)


@browser_test
@pytest.mark.browser
def test_on_paper_the_pictures_stand_in(site, visit):
    page = visit(site / STUDY)
    page.wait_for_function("document.querySelectorAll('figure.is-live').length === 6")
    page.emulate_media(media="print")
    assert page.locator(".still svg:visible").count() == 7
    assert page.locator(".live:visible").count() == 0
    assert page.pdf()[:5] == b"%PDF-"


@browser_test
@pytest.mark.browser
def test_nothing_is_wider_than_a_phone(site, casework, visit):
    for path in [site / name for name in ("index.html", STUDY, "facts.html", "lineage.html")] + [
        casework / "index.html"
    ]:
        page = visit(path, viewport={"width": 360, "height": 740})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path.name


@browser_test
@pytest.mark.browser
def test_a_number_leads_to_its_entry(site, visit):
    page = visit(site / "index.html")
    page.get_by_role("link", name="Who is described", exact=True).click()
    page.locator(".lead a.fact").first.click()
    entry = page.locator("article:target")
    assert entry.get_attribute("id") == "cases/total"
    assert entry.evaluate("element => element === document.activeElement")
    entry.get_by_role("link", name="cases/counts").first.click()
    assert "row 3" in page.locator("article:target").inner_text()


@browser_test
@pytest.mark.browser
def test_the_first_stop_of_the_keyboard_skips_to_the_content(site, visit):
    page = visit(site / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


#: Contrast by WCAG 2.2: relative luminance of the text's colour against the ground that is painted behind it.
CONTRAST = """() => {
  const parse = text => {
    const n = text.match(/[\\d.]+/g).map(Number);
    return n.length < 4 ? [...n.slice(0, 3), 1] : n;
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = el => {
    const layers = [];
    for (let at = el; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => {
    const [r, g, b] = c.slice(0, 3).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !el.checkVisibility({visibilityProperty: true})) continue;
    const style = getComputedStyle(el), box = el.getBoundingClientRect();
    if (box.right < 0 || box.width <= 1) continue;
    const drawn = el.closest('svg');
    // numbers in the cells of a heat map stand on a drawn ground
    if (drawn && el.closest('[data-chart]')?.textContent.includes('Heat in words')) continue;
    const back = ground(drawn ? drawn.parentElement : el);
    const a = light(over(parse(drawn ? style.fill : style.color), back)), b = light(back);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push([ratio.toFixed(2), walker.currentNode.data.trim()]);
  }
  return bad;
}"""


@browser_test
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(site, casework, visit, scheme):
    paths = [site / name for name in ("index.html", STUDY, "facts.html", "lineage.html")]
    for path in [*paths, casework / "index.html", casework / "facts.html"]:
        page = visit(path, color_scheme=scheme)
        if path.name in ("cases.html", "index.html") and page.locator("[data-chart]").count():
            page.wait_for_function("document.querySelectorAll('figure.is-live').length === 6")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert page.evaluate(CONTRAST) == [], path.name


class _Outline(HTMLParser):
    """What the checks need of a page: headings, ids, links, and things that lack a name."""

    def __init__(self):
        super().__init__()
        self.headings, self.ids, self.links, self.unnamed, self.landmarks = [], [], [], [], []
        self.lang, self.labelled = None, set()
        self._svg = 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "html":
            self.lang = given.get("lang")
        if "id" in given:
            self.ids.append(given["id"])
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        if tag in ("main", "header", "footer", "nav"):
            self.landmarks.append(tag)
        if tag in ("a", "link", "script"):
            self.links.append(given.get("href") or given.get("src"))
        if tag == "label" and "for" in given:
            self.labelled.add(given["for"])
        if tag == "svg" and not (given.get("aria-label") or given.get("aria-hidden")):
            self.unnamed.append(tag)
        plain = tag in ("textarea", "input") and given.get("type") not in ("hidden", "radio")
        if plain and given.get("id") not in self.labelled:
            self.unnamed.append(given.get("name"))
        if tag == "img" and not given.get("alt"):
            self.unnamed.append(tag)
        if any(name.startswith("on") or name == "style" for name in given):
            self.unnamed.append(f"{tag} with inline script or style")


def outlines(folder):
    found = {}
    for path in sorted(folder.rglob("*.html")):
        found[path.relative_to(folder).as_posix()] = outline = _Outline()
        outline.feed(path.read_text(encoding="utf-8"))
    return found


def test_pages_are_in_order_and_everything_has_a_name(site, casework):
    for path, outline in [*outlines(site).items(), *outlines(casework).items()]:
        assert outline.lang == "en"
        assert outline.headings[0] == 1 and outline.headings.count(1) == 1, path
        steps = zip(outline.headings, outline.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), path
        assert len(set(outline.ids)) == len(outline.ids), path
        assert outline.landmarks.count("main") == 1 and {"header", "nav", "footer"} <= set(outline.landmarks)
        assert outline.unnamed == [], path


def test_every_link_within_the_site_arrives(site, casework):
    for folder in (site, casework):
        pages = outlines(folder)
        for path, outline in pages.items():
            for link in outline.links:
                # the guard serves what begins at its root
                if urlsplit(link).scheme or link.startswith("/"):
                    continue
                target, _, place = link.partition("#")
                parts = []
                for part in (
                    (PurePosixPath(path).parent / target).parts if target else PurePosixPath(path).parts
                ):
                    parts = parts[:-1] if part == ".." else [*parts, part]
                assert (folder / "/".join(parts)).is_file(), (path, link)
                if place:
                    assert unquote(place) in pages["/".join(parts)].ids, (path, link)
