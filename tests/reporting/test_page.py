"""The report page in a real browser: Debian's Chromium, driven by Playwright.

Without both, the tests are skipped; with YT8M_TEST_BROWSER=required they fail instead.
"""

import itertools
import json
import os
import shutil

import pytest

from tests.support.demos import DEMO, copied
from yt8m_kit.cli.main import main

pytestmark = pytest.mark.long
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (390, 1280)
LIMIT = 30_000  # ms for a page to be drawn
# A browser run as root, as in a container, has no sandbox of its own.
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]

AUDIOSET_TRIAL = """
from yt8m_kit.dataset import AUDIOSET
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

RECIPE = Recipe(
    name="audioset_trial",
    description="AudioSet clips, a few epochs",
    dataset=AUDIOSET,
    members={
        "frame_logistic": Member("frame_logistic", epochs=2, learning_rate=1e-2, validate_steps=60),
        "video_moe": Member(
            "video_level", epochs=3, learning_rate=1e-2, checkpoint_steps=50, average=Range(100, 200)
        ),
    },
    ensembles={
        "both": Ensemble(("frame_logistic", "video_moe"), weights=(1, 2)),
        "mixed": Ensemble(("frame_logistic", "video_moe"), weights=(1, 2), codec="mixed", limit=900_000),
    },
)
"""


def absent(reason):
    """Skip the test, or fail where a browser is required."""
    if os.environ.get("YT8M_TEST_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        absent(f"none of {', '.join(BROWSERS)} is installed: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("playwright is not installed: pip install -c constraints.txt -e '.[test]'")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def demo_report(tmp_path_factory):
    """The page of the demo: its recipe as it ships, scored on fewer videos unless it was made before."""
    folder = tmp_path_factory.mktemp("demo")
    data, runs = folder / "data" / "demo", folder / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("YT8M_RECIPES", raising=False)
        if not copied(DEMO, folder):
            assert main(["synthesize", str(data), "--validate=300", "--test=300"]) == 0
        places = [f"--data={data}", f"--runs={runs}"]
        assert main(["run", "demo", "blend", "--to=submit,evaluate", *places]) == 0
        assert main(["report", "demo", *places]) == 0
    return runs / "demo" / "report.html"


@pytest.fixture(scope="module")
def audioset_report(real_data, tmp_path_factory):
    """The page of real clips: members exported alone, an ensemble, and one of mixed formats."""
    folder = tmp_path_factory.mktemp("audioset")
    recipes, runs = folder / "recipes", folder / "runs"
    recipes.mkdir()
    (recipes / "audioset_trial.py").write_text(AUDIOSET_TRIAL)
    places = [f"--data={real_data / 'audioset'}", f"--runs={runs}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(recipes))
        assert main(["run", "audioset_trial", "--to=evaluate", *places]) == 0
        assert main(["report", "audioset_trial", *places]) == 0
    return runs / "audioset_trial" / "report.html"


@pytest.fixture(params=["demo_report", "audioset_report"])
def report(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def opened(browser):
    """Opens a page and waits until it is drawn; at the end, nothing may have failed in any of them."""
    contexts, faults = [], []

    def open_page(path, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: faults.extend(foreign(request.url, path)))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached", timeout=LIMIT)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def foreign(url, path):
    """A request for anything but the page and its empty icon."""
    return [] if url == path.as_uri() or url.startswith("data:") else [f"request: {url}"]


def data_of(page):
    return json.loads(page.locator("#data").text_content())


def rows_of(columns):
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def marks(page, chart, kind):
    """Number of marks of a kind (line, symbol, rect, text, rule) in a chart, its legends left out."""
    drawn = (f"#chart-{chart} g.mark-{kind}.role-mark > {element}" for element in ("path", "text", "line"))
    return page.locator(", ".join(drawn)).count()


def lines_of(rows):
    return len({(row["member"], row["stage"]) for row in rows})


def test_every_chart_has_as_many_marks_as_it_has_figures(report, opened):
    page = opened(report)
    charts = {name: rows_of(columns) for name, columns in data_of(page)["charts"].items()}
    for name in ("loss", "learning_rate", "speed"):
        assert marks(page, name, "line") == lines_of(charts["training"])
    validated = [row for row in charts["validation"] if row["kind"] == "validation in training"]
    assert marks(page, "validation", "line") == lines_of(validated)
    assert marks(page, "validation", "symbol") == len(charts["validation"]) - len(validated)
    own = [row for row in charts["size"] if row["kind"] != "published"]
    assert marks(page, "size", "symbol") == len(own)
    assert marks(page, "size", "rule") == 1  # at 2^30 bytes
    for name, kind in (("codec", "symbol"), ("labels", "symbol"), ("bits", "rect"), ("left_out", "rect")):
        assert marks(page, name, kind) == len(charts[name]) > 0, name
    for kind in ("rect", "text"):
        assert marks(page, "agreement", kind) == len(charts["agreement"])
    models = {row["name"] for row in charts["reliability"]}
    assert marks(page, "reliability", "line") == len(models) + 1  # and the diagonal
    assert page.locator("html").get_attribute("data-drawn") == str(page.locator("figure.chart").count())


def test_published_systems_are_drawn_on_request(demo_report, opened):
    page = opened(demo_report)
    rows = rows_of(data_of(page)["charts"]["size"])
    before = marks(page, "size", "symbol")
    page.get_by_role("checkbox", name="published systems").check()
    page.wait_for_function(
        "count => document.querySelectorAll('#chart-size g.mark-symbol.role-mark > path').length === count",
        arg=len(rows),
    )
    assert before < len(rows)


def test_a_member_is_switched_off_in_all_charts(report, opened):
    page = opened(report)
    before = marks(page, "loss", "line"), marks(page, "agreement", "rect")
    count = len(data_of(page)["members"])
    page.locator("#members").get_by_label("frame_logistic").uncheck()
    page.wait_for_timeout(500)
    assert marks(page, "loss", "line") == before[0] - 1
    assert marks(page, "agreement", "rect") == (count - 1) ** 2
    page.get_by_role("button", name="none", exact=True).click()
    page.wait_for_timeout(500)
    assert marks(page, "loss", "line") == 0
    page.get_by_role("button", name="all", exact=True).click()
    page.wait_for_timeout(500)
    assert (marks(page, "loss", "line"), marks(page, "agreement", "rect")) == before


def test_the_score_table_is_sorted_by_mouse_and_by_keyboard(report, opened):
    page = opened(report)
    titles = page.locator("#score-table thead th").all_text_contents()
    place = [title.strip() for title in titles].index("GAP@20")

    def column(number):
        return page.eval_on_selector_all(
            "#score-table tbody tr", f"rows => rows.map(row => row.cells[{number}].dataset.value)"
        )

    button = page.get_by_role("button", name="GAP@20", exact=True)
    button.click()
    scores = [float(value) for value in column(place)]
    assert scores == sorted(scores, reverse=True)
    assert page.locator("#score-table th[aria-sort=descending]").count() == 1
    button.press("Enter")
    assert [float(value) for value in column(place)] == sorted(scores)
    page.get_by_role("button", name="name", exact=True).click()
    assert column(0) == sorted(column(0))


def test_a_name_leads_to_its_settings(report, opened):
    page = opened(report)
    page.locator("#score-table").get_by_role("link", name="frame_logistic").click()
    settings = page.locator("#run-frame_logistic")
    settings.get_by_text("frame_logistic").first.wait_for()
    assert settings.get_attribute("open") is not None
    assert "learning rate" in settings.inner_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows(width, report, opened):
    """Neither the page, nor a text of a chart outside its frame; wide tables scroll within their own."""
    page = opened(report, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll('figure.chart svg text')].filter(text => {
            const frame = text.closest('.plot').getBoundingClientRect(), box = text.getBoundingClientRect();
            return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1);
        }).map(text => `${text.closest('figure').id}: ${text.textContent}`)"""
    )
    assert outside == []


def luminance(color):
    """Relative luminance of an sRGB color. https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_of_black_and_white_is_21():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)


# Ink of every text, of every mark, and the background behind each.
COLORS = """() => {
  const parse = text => text.match(/[\\d.]+/g)?.map(Number);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color && (color.length === 3 || color[3] === 1)) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const texts = [...document.querySelectorAll('body *')].filter(e => own(e) && !e.closest('script, svg'));
  const labels = [...document.querySelectorAll('svg text')];
  const curves = '#chart-loss g.mark-line.role-mark > path';
  const pair = property => e =>
    [e.textContent.trim(), parse(getComputedStyle(e)[property]).slice(0, 3), behind(e.closest('.plot') ?? e)];
  const lines = [...document.querySelectorAll(curves)];
  const inks = {texts: pair('color'), labels: pair('fill'), lines: pair('stroke')};
  return {texts: texts.map(inks.texts), labels: labels.map(inks.labels), lines: lines.map(inks.lines)};
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_curves_have_readable_contrast(scheme, report, opened):
    """WCAG 2.2, level AA: 4.5 for text (1.4.3), 3 for graphics (1.4.11)."""
    page = opened(report, scheme=scheme)
    page.locator("summary").first.click()
    found = page.evaluate(COLORS)
    assert (luminance(found["texts"][0][2]) < 0.1) == (scheme == "dark")
    for kind, least in (("texts", 4.5), ("labels", 4.5), ("lines", 3.0)):
        assert found[kind]
        weak = [(text, ink, behind) for text, ink, behind in found[kind] if contrast(ink, behind) < least]
        assert not weak, kind


def test_the_colors_of_members_differ(demo_report, opened):
    page = opened(demo_report)
    strokes = page.eval_on_selector_all(
        "#members line",
        "lines => lines.map(line => line.getAttribute('stroke') + line.getAttribute('stroke-dasharray'))",
    )
    assert all(a != b for a, b in itertools.pairwise(strokes))


def test_the_page_prints(report, opened):
    page = opened(report, scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_link_leads_to_the_video(audioset_report, opened):
    page = opened(audioset_report)
    links = page.locator("#videos a")
    assert links.count() > 0
    assert links.first.get_attribute("href").startswith("https://www.youtube.com/watch?v=")
