"""The comparison and the site in a real browser: read, sorted, filtered, by mouse and by keyboard, and never alive."""

import json

import pytest
from browser import DESK, PHONE, a_browser
from many_runs import ManyRuns, run_id_of

from leadscore.record.find import read_run
from leadscore.site import build_site

PLANTED = [
    "<script>window.hit = 1</script>",
    '"><img src="x" onerror="window.hit = 1">',
    "javascript:window.hit=1",
    '=HYPERLINK("https://example.com/?x";"see")',
    "</title></svg><iframe src='javascript:alert(1)'></iframe>",
    "{{ 7 * 7 }} {% raw %}",
]
ALIVE = """() => ({
  scripts: document.querySelectorAll("script").length,
  strangers: document.querySelectorAll("img, iframe, object, embed, form, base, link, meta[http-equiv=refresh]").length,
  handlers: [...document.querySelectorAll("*")].flatMap((e) => e.getAttributeNames()).filter((n) => /^on/.test(n)),
  links: [...document.querySelectorAll("a")].filter((a) => a.protocol !== "file:").length,
  hit: "hit" in window,
})"""


@pytest.fixture(scope="module")
def browser():
    with a_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two champions, a failed run, a sweep of twelve, and a run without AUC's equal: newest first in the index."""
    folder = tmp_path_factory.mktemp("site")
    runs = ManyRuns(folder / "outputs")
    runs.add(0, notes="the baseline", auc=0.71)
    check = {"code": "LS005", "result": "problem", "title": "Too few of one class"}
    runs.rescore(runs.add(1, notes="with sessions", auc=0.74, checks=[check]), 0.1)
    runs.add(2, status="failed", error="no observation is left: 0 of 6,000; window.start decides")
    runs.add_sweep(3, 12)
    runs.add(20, notes="other rows", auc=0.9, validation_hash="b" * 64, model="hist_boosting")
    runs.promote(0, why="the first")
    runs.promote(1, why="asked for by sales", forced=True)
    return build_site([runs.root, folder / "multirun"], folder / "public", newest=1).index


@pytest.fixture(scope="module")
def comparison(site):
    (path,) = (site.parent / "comparisons").iterdir()
    return path


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["site", "comparison"])
def test_a_page_opens_from_disk_and_every_text_stands_out(browser, request, name, size, dark):
    path = request.getfixturevalue(name)
    with browser.open(path, size, dark=dark) as reader:
        assert reader.requests == [path.resolve().as_uri()]
        assert reader.complaints == []
        assert reader.faint() == []
        assert reader.overflow() == 0
    assert path.stat().st_size < 1_500_000


def names(reader):
    """The runs and sweeps that are seen, in their order."""
    found = reader.page.locator("#runs tbody th:visible").all_inner_texts()
    return [text.split()[0] if text[0] == "2" else "sweep" for text in found]


def test_columns_are_sorted_by_what_is_best_first_and_what_has_none_comes_last(browser, site):
    with browser.open(site) as reader:
        newest_first = names(reader)
        assert newest_first[0] == run_id_of(20)
        auc = reader.page.locator("#runs th", has_text="ROC AUC")
        auc.get_by_role("button").click()
        assert auc.get_attribute("aria-sort") == "descending"
        assert names(reader)[0] == run_id_of(20)
        assert names(reader)[-1] == run_id_of(2)  # it failed
        auc.get_by_role("button").click()
        assert auc.get_attribute("aria-sort") == "ascending"
        assert names(reader)[-1] == run_id_of(2)
        assert names(reader)[0] == run_id_of(0)
        reader.page.get_by_role("button", name="model").click()
        assert auc.get_attribute("aria-sort") is None
        assert names(reader)[0] == run_id_of(20)  # hist_boosting
        reader.page.get_by_role("button", name="ended (UTC)").click()
        assert names(reader) == newest_first


def test_runs_are_found_by_words_model_features_and_status_and_their_number_is_told(browser, site):
    with browser.open(site) as reader:
        page, told = reader.page, reader.page.get_by_role("status")
        assert told.inner_text() == "16 runs"
        page.get_by_label("Find").fill("SESSIONS  with")
        page.wait_for_function("document.getElementById('shown').textContent.startsWith('1 of')")
        assert names(reader) == [run_id_of(1)]
        page.get_by_role("button", name="Show all").click()
        assert told.inner_text() == "16 runs"
        page.get_by_label("Status").select_option("failed")
        assert names(reader) == [run_id_of(2)]
        page.get_by_label("Status").select_option("")
        page.get_by_label("Model").select_option("lightgbm")
        assert told.inner_text() == "7 of 16 runs"
        assert names(reader).count("sweep") == 1  # with the six of its jobs that match
        page.get_by_label("Features").select_option("base+sessions")
        assert told.inner_text() == "3 of 16 runs"


def test_a_sweep_is_folded_until_it_is_asked_for(browser, site):
    with browser.open(site) as reader:
        fold = reader.page.get_by_role("button", name="12 runs")
        jobs = reader.page.locator("#runs .job:visible")
        assert (fold.get_attribute("aria-expanded"), jobs.count()) == ("false", 0)
        fold.focus()
        reader.page.keyboard.press("Enter")
        assert (fold.get_attribute("aria-expanded"), jobs.count()) == ("true", 12)


def test_without_javascript_every_run_is_there_and_no_control_that_does_nothing(browser, site):
    with browser.open(site, javascript=False) as reader:
        assert reader.page.locator("#runs tbody tr:not(.whole-sweep):visible").count() == 16
        assert reader.page.locator("button:visible, input:visible, select:visible").count() == 0
        assert reader.complaints == []


def test_the_keyboard_reaches_everything(browser, site, comparison):
    with browser.open(site) as reader:
        stops = reader.tab_stops()
        names_of = [stop.name for stop in stops]
        assert names_of[0] == "A Skip to the content"
        assert {"BUTTON ROC AUC", "BUTTON 12 runs", f"A {run_id_of(0)}"} <= set(names_of)
        assert sum(stop.matches("input, select") for stop in stops) == 4
        assert all(stop.outlined for stop in stops)
        seen = reader.page.locator("a:visible, button:visible, input:visible, select:visible, summary:visible")
        assert len(stops) >= seen.count()
    with browser.open(comparison) as reader:
        stops = reader.tab_stops()
        assert "A Leads that moved" in [stop.name for stop in stops]
        assert any(stop.name.startswith("DIV") and "user_id" in stop.name for stop in stops)  # a table that scrolls
        assert all(stop.outlined for stop in stops)


def test_links_lead_to_reports_and_comparisons_and_back(browser, site):
    with browser.open(site) as reader:
        page = reader.page
        page.get_by_role("link", name="no evidence").first.click()
        assert page.title().startswith("B is better than A: ROC AUC")
        page.get_by_role("link", name=run_id_of(1)).first.click()
        assert page.locator("p").inner_text() == "its own report"
        page.go_back()
        page.get_by_role("link", name="All runs").click()
        assert page.url == site.resolve().as_uri()


def test_printed_pages_hold_what_matters_and_nothing_to_press(browser, site, comparison):
    for path in (site, comparison):
        with browser.open(path) as reader:
            reader.page.emulate_media(media="print", color_scheme="dark")
            assert reader.faint() == []
            assert reader.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            assert reader.page.locator(".controls:visible, .fold:visible, nav:visible").count() == 0


def test_a_named_lead_is_shown_under_the_pointer(browser, comparison):
    with browser.open(comparison) as reader:
        titles = reader.page.locator("#ranks g > title").all_text_contents()
        assert len(titles) == 300
        assert all("rank" in title and " in A" in title for title in titles)


# --- what a user writes is never alive ----------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory):
    """Runs of a user who writes all of `PLANTED` wherever something can be written."""
    folder = tmp_path_factory.mktemp("planted")
    runs = ManyRuns(folder / "outputs")
    everything = " ".join(PLANTED)
    for number in range(2):
        check = {"code": PLANTED[0], "result": "problem", "title": everything}
        said = {"notes": everything, "model": PLANTED[number], "feature_sets": PLANTED, "checks": [check]}
        folder_of = runs.add(number, **said)
        runs.rescore(folder_of, number / 10, user_id=[f"{PLANTED[row % len(PLANTED)]} {row}" for row in range(300)])
        _plant_files(folder_of, number)
    runs.add(2, status="failed", error=everything, notes=everything)
    sweep = "&lt;b&gt; <img src=x onerror=hit()> javascript:hit()"
    runs.add_sweep(3, 3, name=sweep)
    for number in range(2):
        runs.promote(number, why=everything)
    return build_site([runs.root, folder / "multirun"], folder / "public", newest=3)


def _plant_files(folder, number):
    """Write a feature's values, code, constants, a data profile and an environment that differ between two runs."""
    word = PLANTED[number % len(PLANTED)]
    countries = [PLANTED[(row + number) % len(PLANTED)] for row in range(300)]
    rows = read_run(folder).predictions[["user_id", "as_of"]]
    rows.assign(**{PLANTED[0]: countries}).to_parquet(folder / "features.parquet", index=False)
    source = f"def logins():\n    return {word!r}\n"
    of_both = {"source": source, "hash": word, "values": {PLANTED[1]: word}}
    alone = {"source": f"# {word}\n", "hash": word, "values": {}}
    code = {"things": {PLANTED[0]: word}, "definitions": {PLANTED[0]: of_both, f"{word}.{number}": alone}}
    (folder / "code.json").write_text(json.dumps(code))
    column = {"kind": word, "sum": word, "top": {PLANTED[2]: number}}
    table = {"rows": 1, "leads": 1, "columns": {PLANTED[1]: column, f"{word} {number}": column}}
    (folder / "data.json").write_text(json.dumps({"data_end": word, "leads": table, "events": None}))
    identity = json.loads((folder / "identity.json").read_text())
    identity |= {"data_hash": word, "environment": {"python": word, "packages": {PLANTED[1]: word}}}
    (folder / "identity.json").write_text(json.dumps({**identity, "parts": {PLANTED[0]: word}}))


def test_nothing_that_a_user_writes_comes_alive(browser, hostile_site):
    assert hostile_site.failed == {}
    site = hostile_site.index.parent
    pages = [hostile_site.index, *sorted((site / "comparisons").iterdir())]
    assert len(pages) == 2 + 3  # each run of the sweep against the champion
    for path in pages:
        with browser.open(path) as reader:
            asked = []
            reader.page.on("dialog", lambda dialog, asked=asked: (asked.append(dialog.message), dialog.dismiss()))
            found = reader.page.evaluate(ALIVE)
            assert found == {"scripts": 1, "strangers": 0, "handlers": [], "links": 0, "hit": False}
            assert asked == []
            assert reader.complaints == []  # the policy had nothing to stop: all of it was text
            assert len(reader.requests) == 1
            said = reader.page.evaluate("document.body.textContent").replace("\u00a0", " ")
            for word in PLANTED if path != pages[-1] else ():
                assert word in " ".join(said.split())
