"""The page of a run in headless Chromium: wide and narrow, light and dark. The pictures stay in the folder of the test.

The page is shown in a frame as wide as the screen, since Chromium makes no window narrower than about 500 pixels. A
script beside the frame measures the page. The page itself allows no script.
"""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest
from nasmake.report.page import report_page
from small_run import LR, MACS, configured_run, optimize

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian, type: apt-get install chromium")

SCREENS = {"light": (1366, 768), "dark": (1366, 768), "phone": (390, 844)}
SMALLEST = 11  # pixels, of any text as displayed
LARGEST = 6_000_000  # bytes of a page
CONTRAST = 4.5  # of text with its background, as WCAG 2.1 demands (success criterion 1.4.3)
FRAME = Path(__file__).with_name("frame.html")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    study = optimize(8, MACS, LR)
    return report_page(configured_run(tmp_path_factory.mktemp("page"), study, pruned=(1,)))


def shown(page: str, screen: str, folder: Path) -> dict:
    """Show the page in Chromium, keep its picture, and return what the script beside it measured."""
    width, height = SCREENS[screen]
    frame = FRAME.read_text().replace("WIDTH", f"{width}").replace("HEIGHT", f"{height}").replace("PAGE", escape(page))
    (folder / "frame.html").write_text(frame)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
    options += [f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 500)},{height}"]
    options += ["--virtual-time-budget=5000", f"--screenshot={folder / screen}.png", "--dump-dom"]
    options += [f"--blink-settings=preferredColorScheme={0 if screen == 'dark' else 1}"]
    command = [str(CHROMIUM), *options, (folder / "frame.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert (folder / f"{screen}.png").stat().st_size > 10_000
    found = re.search(r'<pre id="measured">(.+?)</pre>', done.stdout)
    assert found, done.stderr
    measured: dict = json.loads(unescape(found[1]))
    return measured


@pytest.mark.parametrize("screen", SCREENS)
def test_page_is_legible_fits_the_screen_and_asks_for_nothing(page: str, tmp_path: Path, screen: str):
    measured = shown(page, screen, tmp_path)
    width, height = SCREENS[screen]
    assert measured["texts"] > 300
    assert min(measured["sizes"]) >= SMALLEST
    assert min(measured["contrasts"]) >= CONTRAST
    assert measured["outside"] == measured["broken"] == [] and measured["wide"] <= width
    assert measured["loaded"] == []
    assert (measured["background"] == "rgb(255, 255, 255)") == (screen != "dark")
    assert ("invert" in measured["filter"]) == (screen == "dark")
    assert screen == "phone" or measured["answer"] <= height
    assert len(page.encode()) < LARGEST
