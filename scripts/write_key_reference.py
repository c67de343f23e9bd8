"""Write config/KEYS.md: every key of the configuration with its allowed values, its default and its description."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from nasmake.config import Config
from nasmake.core.errors import InputError
from nasmake.core.files import write_atomically
from nasmake.jobs.cli import script
from nasmake.pipeline.stages import STAGES, reads
from pydantic import BaseModel

REFERENCE = Path("config/KEYS.md")
INTRODUCTION = """\
# Key reference

`python scripts/write_key_reference.py` writes this page from the models of the configuration. Do not edit it by hand.

A key is a dotted path: `supernet.lr` is the key `lr` in the section `supernet`. [config.yaml](config.yaml) has the same
keys as a file that you can copy, and also the searched hyperparameters of the default study. [The guides](README.md)
explain the keys by task.

The column *first stage* names the first stage that reads the key, out of the table of stages. If you change the key,
Snakemake reruns this stage and the stages that use its results. A dash means that no stage reads the key.
"""
NUMBERS = {"integer": "whole number", "number": "number"}
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
PLAIN = {"boolean": "`true`, `false`", "string": "text", "object": "mapping", "null": "`null`"}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")
    arguments = parser.parse_args(argv)
    text = reference()
    if arguments.check:
        if not REFERENCE.is_file() or REFERENCE.read_text() != text:
            raise InputError(f"{REFERENCE}: differs from the models; type: python scripts/write_key_reference.py")
        return
    write_atomically(REFERENCE, text.encode())
    print(f"{REFERENCE}: {len(text.splitlines())} lines")


def reference() -> str:
    """Return the page: one table for the keys outside sections, then one table per section."""
    schemas = Config.model_json_schema()
    top, sections = [], []
    for name, field in Config.model_fields.items():
        section = _model_of(field.annotation)
        entry = schemas["properties"][name]
        if section is None:
            top.append(row(name, entry, field))
        else:
            rows = walk(section, f"{name}.", schemas["$defs"])
            sections.append(f"## `{name}`: {escaped(field.description or '')}\n\n{table(rows)}")
    return "\n".join([INTRODUCTION, f"## Keys outside the sections\n\n{table(top)}", *sections])


def walk(model: type[BaseModel], prefix: str, schemas: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows of a model's keys. `[]` in a path stands for each entry of a list."""
    for name, field in model.model_fields.items():
        inner, is_list = _model_of(field.annotation), get_origin(field.annotation) is list
        if inner is None or is_list:
            yield row(f"{prefix}{name}", schemas[model.__name__]["properties"][name], field)
        if inner is not None:
            yield from walk(inner, f"{prefix}{name}{'[].' if is_list else '.'}", schemas)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def table(rows: Iterator[str] | list[str]) -> str:
    """Return a Markdown table of these rows."""
    return "\n".join(["| key | values | default | first stage | description |", "|---|---|---|---|---|", *rows, ""])


def row(path: str, entry: Mapping[str, Any], field: Any) -> str:
    """Return the row of one key."""
    default = "required" if field.is_required() else f"`{json.dumps(field.get_default(call_default_factory=True))}`"
    return f"| `{path}` | {escaped(values(entry))} | {default} | {first_stage(path)} | {escaped(field.description)} |"


def first_stage(path: str) -> str:
    """Return the first stage that reads a key, in the order of the table of stages; a dash if no stage reads it."""
    return next((f"`{name}`" for name, stage in STAGES.items() if reads(stage, path)), "-")


def values(entry: Mapping[str, Any]) -> str:
    """Return the allowed values of a key in words.

    Args:
        entry: The key's entry in the JSON schema of its model.
    """
    if "anyOf" in entry:
        return " or ".join(values(choice) for choice in entry["anyOf"])
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{value}`" for value in entry.get("enum", [entry.get("const")]))
    kind = entry.get("type")
    if kind == "array":
        items = entry["items"]
        return "list of mappings" if "$ref" in items else f"list of: {values(items)}"
    if kind in NUMBERS:
        bounds = [f"{word} {entry[bound]:.15g}" for bound, word in BOUNDS.items() if bound in entry]
        return " ".join([NUMBERS[kind], ", ".join(bounds)]).strip()
    return PLAIN.get(str(kind), "any value")


def escaped(text: str) -> str:
    """Return the text with the characters escaped that mean something in a Markdown table."""
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    script(main, sys.argv[1:])
