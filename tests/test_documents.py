"""README.md and the guides: links lead somewhere, and examples of configuration are valid."""

import re
from pathlib import Path

import pytest
import yaml
from nasmake.config import load
from nasmake.strategies import STRATEGIES

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "config" / "guides").rglob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "README.ja.md",
    *sorted((ROOT / "config").glob("*.md")),
    *GUIDES,
    *sorted(ROOT.glob("profiles/*/*.md")),
    *sorted(ROOT.glob("packages/**/*.md")),
]


def name(path):
    return str(path.relative_to(ROOT))


def examples():
    """Yield each example of configuration in the guides: fenced files, and indented lines such as `search: {...}`."""
    for path in GUIDES:
        text = path.read_text()
        files = re.findall(r"`(\w+\.yaml)`:\n\n```yaml\n(.*?)```", text, re.DOTALL)
        lines = re.findall(r"^\n((?:    [a-z]+: \{.*\}\n)+)$", text, re.MULTILINE)
        for number, content in enumerate([content for _, content in files] + lines):
            yield pytest.param(yaml.safe_load(content), id=f"{path.stem}-{number}")


def merged(base, over):
    both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys() if isinstance(over[key], dict)}
    return base | over | both


@pytest.mark.parametrize("example", list(examples()))
def test_example_is_a_valid_configuration(example):
    defaults = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    load(merged(defaults, example))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_index_lists_every_guide():
    index = (ROOT / "config" / "README.md").read_text()
    index += (ROOT / "config/guides/choose_a_strategy.md").read_text().replace("(strategies/", "(guides/strategies/")
    guides = [str(path.relative_to(ROOT / "config")) for path in GUIDES]
    assert [guide for guide in guides if f"({guide})" not in index] == []


def test_every_strategy_has_a_page():
    assert {path.stem for path in GUIDES if path.parent.name == "strategies"} == set(STRATEGIES)


@pytest.mark.parametrize("folder", [ROOT, ROOT / "profiles/abci"], ids=name)
def test_readme_gives_the_same_commands_in_both_languages(folder):
    def commands(path):
        """Return the indented commands, the options inside of sentences, and the messages in tables."""
        text = path.read_text()
        lines = [line.partition(" #")[0].rstrip() for line in text.splitlines() if line.startswith("    ")]
        return lines, *([] if folder == ROOT else [sorted(set(re.findall(r"`([^`]+)`", text)))])

    english, japanese = commands(folder / "README.md"), commands(folder / "README.ja.md")
    assert len(english[0]) > 8 and english == japanese


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("preset", sorted((ROOT / "config/presets").glob("*.yaml")), ids=name)
def test_preset_points_editors_to_the_schema(preset):
    first = preset.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (preset.parent / first.partition("=")[2]).resolve() == ROOT / "workflow/schemas/config.schema.json"
