"""The page of a study, in a real browser: it is whole by itself, and its tables sort and narrow down."""

import json
import re
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from chromium import chromium
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from ness_bench.engines.processes import Processes
from ness_bench.reports.page import Cell, Page, PageFigure, PageTable, render
from ness_bench.reports.report import write_report
from ness_bench.reports.style import STYLE, svg_of
from ness_bench.reports.trials import tables
from ness_bench.reports.trials.figures import drawn
from ness_bench.reports.written import ENOUGH, few_repetitions
from ness_bench.studies.study import run
from ness_bench.studies.trials import TrialPlan

HOSTILE = "<script>alert(1)</script> & \"x\" 'y'"

NUMBERS = (("a", 10.0), ("b", 9.0), ("c", None), ("d", -0.5), ("e", float("nan")), ("f", 100.0), ("g", 9.0))
"""Sorted as text, 10 and 100 would come before 9."""


def hostile(records):
    return records.assign(method=records["method"].replace("evolution_30 & 50 %", HOSTILE))


def page_of(records, context):
    table = PageTable(
        "Numbers & <b>text</b>",
        HOSTILE,
        ["Name", "Number ↓", "Size"],
        [
            [Cell(name), Cell("–" if value is None else f"{value} ± 1", value, int(name == "d")), Cell(str(size), size)]
            for (name, value), size in zip(NUMBERS, (3, 5, 10, 3, 5, 10, 3), strict=True)
        ],
        ["Size"],
    )
    figures = [PageFigure(name, one.caption, svg_of(name, one.figure)) for name, one in drawn(records, context).items()]
    return Page(
        title=HOSTILE,
        subject="What is shown",
        facts=["7 runs"],
        protocol=context.how,
        warnings=few_repetitions(ENOUGH - 1),
        tables=[table, tables.page_table(tables.comparison(records, context), context)],
        figures=figures,
        environment={"python": HOSTILE},
        plan=json.dumps({"name": HOSTILE}),
    )


@pytest.fixture(scope="module")
def html(trial_records, trial_context):
    return render(page_of(hostile(trial_records), trial_context))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser, html, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what the page before logged
    browser.get(path.as_uri())
    return browser


def names(page):
    rows = page.find_elements(By.CSS_SELECTOR, "#table-1 tbody tr")
    return "".join(row.find_element(By.TAG_NAME, "th").text for row in rows if row.is_displayed())


def head(page, text):
    return page.find_element(By.XPATH, f"//*[@id='table-1']//thead//th[contains(., '{text}')]")


def test_it_opens_without_a_message_and_asks_for_nothing_but_itself(page):
    assert page.get_log("browser") == []
    requested = [
        event["params"]["request"]["url"]
        for event in (json.loads(entry["message"])["message"] for entry in page.get_log("performance"))
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requested if not url.startswith("data:")] == [page.current_url]


def test_its_policy_stops_what_would_go_to_a_network(page):
    page.execute_script("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    refused = page.execute_async_script("fetch('https://example.org/').then(() => arguments[0]('sent'), arguments[0])")
    assert refused != "sent"
    messages = [entry["message"] for entry in page.get_log("browser")]
    for directive in ("img-src", "default-src"):
        assert any("Content Security Policy" in message and directive in message for message in messages)


def test_hostile_text_is_shown_as_text(page):
    assert page.title == f"{HOSTILE} · What is shown"
    assert page.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert page.find_element(By.CSS_SELECTOR, "#table-1 .note").text == HOSTILE
    assert page.find_element(By.CSS_SELECTOR, "#table-1 h3").text == "Numbers & <b>text</b>"
    assert HOSTILE in [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#table-2 tbody th")]
    assert len(page.find_elements(By.TAG_NAME, "script")) == 1


def test_a_numeric_column_sorts_as_numbers_both_ways_and_back(page):
    number = head(page, "Number")
    button = number.find_element(By.TAG_NAME, "button")
    assert names(page) == "abcdefg"
    for state, order in (("ascending", "dbgafce"), ("descending", "fabgdce"), ("none", "abcdefg")):
        button.click()
        assert number.get_attribute("aria-sort") == state
        assert names(page) == order


def test_the_keyboard_sorts_too_and_one_column_at_a_time(page):
    number, name = head(page, "Number"), head(page, "Name")
    number.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert names(page) == "dbgafce"
    name.find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE, Keys.SPACE)
    assert names(page) == "gfedcba"
    assert [number.get_attribute("aria-sort"), name.get_attribute("aria-sort")] == ["none", "descending"]


def test_words_and_choices_narrow_a_table_down_together(page):
    table = page.find_element(By.ID, "table-1")
    field, count = table.find_element(By.TAG_NAME, "input"), table.find_element(By.TAG_NAME, "output")
    size = Select(table.find_element(By.TAG_NAME, "select"))
    assert [option.text for option in size.options] == ["any", "3", "5", "10"]
    assert count.text == "7 rows"
    size.select_by_visible_text("3")
    assert (names(page), count.text) == ("adg", "3 of 7 rows")
    field.send_keys("9.0 G")
    assert (names(page), count.text) == ("g", "1 of 7 rows")
    size.select_by_visible_text("any")
    field.clear()
    field.send_keys("±")
    assert names(page) == "abdefg"
    assert len(page.find_elements(By.CSS_SELECTOR, "#table-2 tbody tr")) == 4, "the other table is left alone"


def test_the_best_is_bold_and_numbers_stand_to_the_right(page):
    weights = {
        row.find_element(By.TAG_NAME, "th").text: row.find_element(By.CSS_SELECTOR, "td span").value_of_css_property(
            "font-weight"
        )
        for row in page.find_elements(By.CSS_SELECTOR, "#table-1 tbody tr")
    }
    assert [name for name, weight in weights.items() if weight == "700"] == ["d"]
    cells = page.find_elements(By.CSS_SELECTOR, "#table-1 tbody tr:first-child > *")
    assert [cell.value_of_css_property("text-align") for cell in cells] == ["left", "right", "right"]


def test_ids_are_used_once_and_figures_refer_to_parts_of_their_own(html):
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    figures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(figures) == 2
    for figure in figures:
        named = {name for pair in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', figure) for name in pair if name}
        assert named == set(re.findall(r'\bid="([^"]+)"', figure))
        assert len(named) > 10


def test_figures_look_inside_a_page_as_they_do_alone(browser, trial_records, trial_context, tmp_path):
    shown = {"inline": "", "alone": ""}
    for name, one in drawn(trial_records, trial_context).items():
        shown["inline"] += f'<div style="width: 792px">{svg_of(name, one.figure)}</div>'
        with mpl.rc_context(STYLE | {"svg.hashsalt": "any"}):
            one.figure.savefig(tmp_path / f"{name}.svg")
        shown["alone"] += f'<div><img src="{name}.svg" style="width: 792px; display: block"></div>'
    seen = []
    for name, content in shown.items():
        (tmp_path / f"{name}.html").write_text(f'<meta charset="utf-8"><body style="margin: 0">{content}', "utf-8")
        browser.get((tmp_path / f"{name}.html").as_uri())
        seen.append(np.asarray(Image.open(BytesIO(browser.get_screenshot_as_png())).convert("L"), np.int64))
    inline, alone = seen
    assert alone.std() > 10
    assert np.abs(inline - alone).mean() < 0.3  # coordinates are rounded


def test_the_same_records_give_the_same_bytes(html, trial_records, trial_context):
    assert render(page_of(hostile(trial_records), trial_context)) == html


def test_a_plan_says_what_is_written_and_figures_are_the_same_whatever_else_is(make_table, tmp_path):
    content = {"name": "small", "table": make_table(), "protocol": "nas-bench-201", "dataset": "cifar10"}
    content |= {"methods": ["random-search"], "repetitions": 2}
    figures = []
    for asked in (["page"], ["figures", "page"], ["tables"]):
        plan = TrialPlan.model_validate(content | {"reports": asked})
        assert run(plan, tmp_path, Processes(1), lambda state: None, lambda: None) == []
        files = [path.relative_to(tmp_path) for path in write_report(tmp_path).files]
        assert {path.parts[0].replace("index.html", "page") for path in files} == set(asked)
        assert (tmp_path / "tables").exists() == ("tables" in asked)
        html = (tmp_path / "index.html").read_text("utf-8")
        figures.append(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert len(figures[0]) == 2
    assert figures[0] == figures[1]
    assert "Only 2 repetitions" in html
    assert "made up for tests" in html


def test_only_few_repetitions_are_warned_of():
    assert few_repetitions(ENOUGH) == []
    assert "Only 1 repetition:" in few_repetitions(1)[0]
