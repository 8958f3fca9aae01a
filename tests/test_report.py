"""A run's page: what its readers find of the numbers in the folder, whatever users wrote, and when things go wrong."""

import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile import EVIL

from leadscore import compose, run
from leadscore.errors import LeadscoreError
from leadscore.record.champion import enter_promotion
from leadscore.record.find import open_run, read_run
from leadscore.report import render_run, write_run_page
from leadscore.report.palette import GROUNDS, INKS, PALETTE, Colour
from leadscore.report.plots import canvas
from leadscore.reporting import draw_report
from leadscore.verbs import main


def words(page):
    """The text of a page."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


def recorded(root, *overrides):
    run(compose(["data.n_leads=800", f"tracking.root={root}", *overrides]))
    return open_run("latest", [root])


def beats_the_baseline(opened):
    checks = json.loads((opened.folder / "checks.json").read_text(encoding="utf-8"))["checks"]
    return next(check["sentence"] for check in checks if check["code"] == "LS001")


# --- what readers find ---------------------------------------------------------------------------


def test_the_report_shows_how_sure_what_calls_catch_and_where(reported):
    opened, page = read_run(reported), words(page_of(reported))
    (fold,) = opened.metrics["folds"]
    auc, capacity = fold["intervals"]["auc"], fold["capacity"]
    assert f"ROC AUC {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]" in page
    assert f"20 a week, catch {capacity['caught']:.1f} conversions [{capacity['caught_low']:.1f}" in page
    for each in fold["slices"]:
        found = each["auc"]
        assert re.search(rf"{each['column']} {each['value']} \S+ .* {found['n']} {found['positives']} ", page)


def test_every_picture_has_words_n_and_a_name_of_its_own(reported):
    page = page_of(reported)
    pictures = re.findall(r'<svg role="img" aria-labelledby="(\S+) (\S+)".*?</svg>', page, re.DOTALL)
    assert len(pictures) >= 14
    for title, said in pictures:
        assert re.search(rf'<title id="{title}">[^<]*\d[^<]*</title><desc id="{said}">[^<]{{20,}}</desc>', page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_a_picture_takes_its_colours_from_the_page(reported):
    for svg in re.findall(r"<svg.*?</svg>", page_of(reported), re.DOTALL):
        assert "var(--" in svg
        assert not re.search(r"#[0-9a-f]{6}", svg)


def contrast(one, other):
    """WCAG 2.2's contrast ratio of two colours."""

    def light(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("side", Colour._fields)
@pytest.mark.parametrize("ink", INKS)
def test_every_colour_stands_out_from_every_ground(ink, side):
    for ground in GROUNDS:
        assert contrast(getattr(PALETTE[ink], side), getattr(PALETTE[ground], side)) >= 4.5, ground


def test_the_command_the_hashes_and_every_columns_definition_stand_in_the_page(reported):
    opened, page = read_run(reported), page_of(reported)
    assert "the lines" in page  # Python code started it: there is no command
    assert all(opened.identity[name] in page for name in ("identity", "config_hash", "code_hash", "data_hash"))
    assert "def events_last_7_days(events_df, now):" in page
    for each in opened.serving.dictionary:
        assert f">{each.name}</code>" in page


def test_leads_high_and_low_have_the_reasons_that_show_gives(reported):
    from leadscore.verbs.show_lead import lead_page

    opened, page = read_run(reported), words(page_of(reported))
    likeliest = opened.predictions.sort_values(["probability", "user_id"], ascending=[False, True]).iloc[0]
    told = lead_page(opened, likeliest["user_id"])
    assert told.reasons
    for reason in told.reasons:
        assert reason in page.split(str(likeliest["user_id"]))[1][:400]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A run over three folds that became champion, and the next one on the same rows."""
    root = tmp_path_factory.mktemp("pair") / "runs"
    words = ("validation=rolling", "metrics.resamples=100", "audit=off")
    first = recorded(root, "report=false", *words)
    assert enter_promotion(root, first, None, why="the first", verdict=None, gate=[], forced=False) is not None
    return first, recorded(root, "features=attributes", *words)


def test_several_folds_show_each_its_own_interval(pair):
    _, opened = pair
    page = words(page_of(opened.folder))
    assert len(opened.metrics["folds"]) == 3
    for fold in opened.metrics["folds"]:
        auc = fold["intervals"]["auc"]
        shown = "\N{EN DASH}" if auc["low"] is None else f"[{auc['low']:.3f}, {auc['high']:.3f}]"
        assert f"{auc['value']:.3f} {shown}" in page
    assert "ROC AUC of each fold" in page


def test_beating_the_baseline_is_judged_by_how_often_these_rows_were_looked_at(pair):
    said = [beats_the_baseline(opened) for opened in pair]
    assert "looks" not in said[0]
    assert said[1].endswith("after 2 looks at these rows.")
    assert said[1] in words(page_of(pair[1].folder))


def test_a_run_is_seen_against_the_champion_of_its_day(pair):
    champion, challenger = pair
    assert challenger.against_champion["name_a"] == champion.run_id
    assert f"Against the champion of its day: {challenger.against_champion['text']}" in words(
        page_of(challenger.folder)
    )
    assert not (champion.folder / "report.html").exists()


def test_a_run_that_is_too_small_says_so_and_draws_no_band(root):
    opened = recorded(root, "data.n_leads=120", "metrics.resamples=100", "audit=off")
    page = words(page_of(opened.folder))
    assert "No verdict: too few leads" in page
    assert "too few leads of one outcome for a band" in page.lower()


@pytest.mark.slow
def test_two_hundred_columns_stay_small_and_folded(root, tmp_path):
    days = ", ".join(f"{day}d" for day in range(1, 21))
    lines = [
        f"{kind}_{event}: {{aggregate: {kind}, event_type: {event}, lookback: [{days}]}}"
        for kind in ("count", "active_days")
        for event in ("session", "login", "page_view", "email_open", "ticket")
    ]
    (tmp_path / "conf" / "features").mkdir(parents=True)
    (tmp_path / "conf" / "features" / "many.yaml").write_text("\n".join(lines) + "\n")
    words = ["features=many", "data.n_leads=400", "audit=off", "metrics.resamples=100", f"tracking.root={root}"]
    run(compose(words, config_dir=tmp_path / "conf"))
    page = page_of(open_run("latest", [root]).folder)
    assert "the 15 strongest of 200 features" in page
    assert "and 160 more columns" in page
    assert len(page.encode()) < 1_500_000


# --- the folder is the truth ---------------------------------------------------------------------


def test_leadscore_report_draws_an_old_run_again_byte_for_byte(reported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(reported, tmp_path / "outputs" / "moved")
    (folder / "report.html").unlink()
    assert main(["report", "latest"]) == 0
    assert capsys.readouterr().out == "wrote outputs/moved/report.html\n"
    assert page_of(folder) == page_of(reported)


def test_a_failed_run_has_a_page_that_says_where_it_stopped_and_why(root):
    with pytest.raises(LeadscoreError):
        recorded(root, "window.start=2030-01-01")
    opened = open_run("latest", [root])
    page = words(page_of(opened.folder))
    assert opened.identity["error"].split(".")[0] in page
    assert "It stopped before the folds were laid" in page
    assert "What was asked" in page
    assert "How good" not in page


def test_a_run_that_left_its_identity_alone_has_a_page(reported, tmp_path):
    folder = tmp_path / "begun"
    folder.mkdir()
    identity = json.loads((reported / "identity.json").read_text()) | {"status": "running"}
    (folder / "identity.json").write_text(json.dumps(identity))
    page = words(render_run(read_run(folder)))
    assert "It is running, or it was killed before it could say so." in page
    assert "Nothing is left that says what was asked." in page


# --- when drawing goes wrong ---------------------------------------------------------------------


def test_without_matplotlib_the_page_has_words_and_says_how_to_get_pictures(reported, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_svg", None)
    canvas.can_draw.cache_clear()
    try:
        page = render_run(read_run(reported))
    finally:
        canvas.can_draw.cache_clear()
    assert "<svg" not in page
    assert "matplotlib cannot be imported here" in page
    assert "Calling the likeliest 10% finds" in words(page)


def test_a_report_that_cannot_be_drawn_costs_one_warning(reported, monkeypatch, caplog):
    def refuse(run):
        raise RuntimeError("no font")

    monkeypatch.setattr("leadscore.report.write_run_page", refuse)
    draw_report(reported, lambda said: None)
    assert [record.getMessage() for record in caplog.records] == [
        "the report is not drawn (RuntimeError: no font); the run is whole without it"
    ]


def test_matplotlib_waits_until_a_picture_is_drawn():
    code = "import sys; from leadscore import pipeline, reporting; import leadscore.report; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "matplotlib" not in done.stdout.split()


# --- what users write stays text -----------------------------------------------------------------


class Alive(HTMLParser):
    """Collects what would act: scripts, handlers, links, pictures and frames; and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "img", "iframe", "object", "embed", "link", "form", "base"):
            self.found.append(tag)
        self.found += [f"{tag} {name}" for name, value in attrs if name.startswith("on")]
        self.found += [f"{tag} {value}" for name, value in attrs if name in ("href", "src") and value[:1] != "#"]

    def handle_data(self, data):
        self.texts.append(data)


def test_whatever_users_write_stays_text(planted):
    page = page_of(planted)
    alive = Alive()
    alive.feed(page)
    assert alive.found == ["script"]  # our own, and the page allows that one alone
    shown = " ".join(alive.texts)
    for text in EVIL:
        assert text in shown
    assert page.count("<!--leads-->") == page.count("<!--/leads-->") == 1


def test_a_picture_shows_a_users_text_as_it_is(planted):
    page = page_of(planted)
    assert "slices-title" in page
    assert re.search(r"<text [^>]*>\$x_1\$ ", page)


def test_a_page_is_written_whole_or_not_at_all(reported, tmp_path, monkeypatch):
    folder = shutil.copytree(reported, tmp_path / "run")
    before = page_of(folder)
    monkeypatch.setattr("leadscore.report.run_page.render_run", lambda run: "new")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(LeadscoreError, match=r"report\.html cannot be written: No space left on device"):
        write_run_page(read_run(folder))
    assert page_of(folder) == before
    assert sorted(path.name for path in Path(folder).iterdir() if path.name.startswith(".report")) == []
