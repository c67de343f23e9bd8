"""README.md and the guides: links lead somewhere, and examples of configuration are valid."""

import re
from pathlib import Path

import pytest
import yaml
from nasmake.config import load

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "config" / "guides").glob("*.md"))
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
    assert [path.name for path in GUIDES if f"(guides/{path.name})" not in index] == []


def test_readme_gives_the_same_commands_in_both_languages():
    def commands(path):
        return [line.partition(" #")[0].rstrip() for line in path.read_text().splitlines() if line.startswith("    ")]

    english = commands(ROOT / "README.md")
    assert len(english) > 20 and english == commands(ROOT / "README.ja.md")


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("preset", sorted((ROOT / "config/presets").glob("*.yaml")), ids=name)
def test_preset_points_editors_to_the_schema(preset):
    first = preset.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (preset.parent / first.partition("=")[2]).resolve() == ROOT / "workflow/schemas/config.schema.json"
