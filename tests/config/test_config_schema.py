"""workflow/schemas/config.schema.json and config/config.yaml say what the models say.

Both drift when a model changes. `pytest tests/config/test_config_schema.py --fix` writes the schema anew.
"""

import difflib
import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml
from nasmake.config import Config, keys, load
from nasmake.config.aiaccel import ALIASES
from nasmake.config.study import Parameter
from nasmake.core.files import canonical_json
from nasmake.pipeline.checks import check_parameters
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"
CONFIG = ROOT / "config" / "config.yaml"
PRESETS = sorted((ROOT / "config" / "presets").glob("*.yaml"))
every_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)


def generated():
    schema = Config.model_json_schema()
    for model in models():
        described = schema if model is Config else schema["$defs"][model.__name__]
        for name, field in model.model_fields.items():
            entry = described["properties"][name]
            entry.pop("title", None)
            if field.default_factory is not None and not isinstance(default_of(field), BaseModel):
                entry["default"] = default_of(field)  # pydantic leaves these out
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def default_of(field):
    return field.get_default(call_default_factory=True)


def models(model=Config):
    """The model and all that lie within, each once."""
    found = [model]
    for field in model.model_fields.values():
        inner = [part for part in (field.annotation, *get_args(field.annotation)) if isinstance(part, type)]
        for part in inner:
            found += [other for other in models(part) if other not in found] if issubclass(part, BaseModel) else []
    return found


def value_at(content, path):
    for name in path.split("."):
        content = content[name]
    return content


def merged(base, over):
    both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys() if isinstance(over[key], dict)}
    return base | over | both


def read(path):
    return yaml.safe_load(path.read_text())


def defaults():
    """Defaults as they are in the models, before they depend on each other."""

    def of(model):
        values = {name: default_of(field) for name, field in model.model_fields.items()}
        return {name: of(type(value)) if isinstance(value, BaseModel) else value for name, value in values.items()}

    return of(Config)


def test_schema_is_that_of_the_models(request):
    text = json.dumps(generated(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if request.config.getoption("--fix"):
        SCHEMA.parent.mkdir(exist_ok=True)
        SCHEMA.write_text(text)
    found = SCHEMA.read_text() if SCHEMA.exists() else ""
    difference = difflib.unified_diff(found.splitlines(), text.splitlines(), "schema", "models", lineterm="", n=2)
    assert found == text, "type: pytest tests/config/test_config_schema.py --fix\n" + "\n".join(difference)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_key_is_described_and_has_a_default(model):
    schema = json.loads(SCHEMA.read_text())
    described = schema if model is Config else schema["$defs"][model.__name__]
    assert described["additionalProperties"] is False
    assert described["properties"].keys() == model.model_fields.keys()
    required = set(described.get("required", ()))
    assert required == ({"name", "type"} if model is Parameter else set())
    for name, entry in described["properties"].items():
        assert entry["description"] and "\n" not in entry["description"]
        assert "default" in entry or "$ref" in entry or name in required


def test_models_are_all_found():
    assert {model.__name__ for model in models()} == {"Config", *Config.model_json_schema()["$defs"]}


def test_schema_accepts_the_shipped_files_and_refuses_a_typo():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in (CONFIG, *PRESETS):
        jsonschema.validate(read(path), schema)
    for wrong in ({"nas": {"sed": 1}}, {"nas": {"seed": "x"}}, {"optimize": {"trial_number": 0}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_config_yaml_points_editors_to_the_schema():
    first = CONFIG.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (CONFIG.parent / first.partition("=")[2]).resolve() == SCHEMA


@pytest.mark.parametrize("path", list(keys()))
def test_config_yaml_has_every_key_with_its_default(path):
    found = value_at(read(CONFIG), path)
    if path == "optimize.parameters":
        assert [parameter["name"] for parameter in found] == [
            *("supernet.lr", "supernet.weight_decay", "retrain.hyperparameters.base_lr", "retrain.weight_decay")
        ]
    else:
        expected = value_at(defaults(), path)
        assert found == expected and type(found) is type(expected)


def test_config_yaml_has_the_keys_in_the_order_of_the_models():
    def compare(content, model):
        assert list(content) == list(model.model_fields)
        for name, field in model.model_fields.items():
            if isinstance(default_of(field), BaseModel):
                compare(content[name], type(default_of(field)))

    compare(read(CONFIG), Config)


def test_config_yaml_describes_every_key_on_its_line():
    lines = CONFIG.read_text().splitlines()

    def compare(node, model):
        for key, value in node.value:
            field = model.model_fields[key.value]
            comment = lines[key.start_mark.line].partition(" # ")[2]
            assert comment.split("; see ")[0] == field.description, key.value
            if isinstance(default_of(field), BaseModel):
                compare(value, type(default_of(field)))

    compare(yaml.compose(CONFIG.read_text()), Config)


def test_config_yaml_mentions_only_files_that_are_there():
    words = [word.strip("`;:,") for line in CONFIG.read_text().splitlines() for word in line.partition("#")[2].split()]
    mentioned = [word for word in words if word.endswith((".md", ".py")) and "/" in word]
    assert [word for word in mentioned if not (ROOT / word).exists()] == []


def test_config_yaml_is_a_study_that_can_start():
    config = load(read(CONFIG))
    check_parameters(config)
    assert config.run == "proxyless_cifar10" and config.optimize.trial_number == 15


def test_preset_of_aiaccel_has_all_names_of_its_study():
    found = read(ROOT / "config/presets/aiaccel.yaml")["optimize"]["parameters"]
    assert {parameter["name"] for parameter in found} == set(ALIASES)


@every_preset
def test_preset_over_config_yaml_can_start(preset):
    config = load(merged(read(CONFIG), read(preset)))
    check_parameters(config)
    assert config.run == preset.stem or config.run == f"{config.nas.search_space}_{config.dataset.name}"


@every_preset
def test_preset_is_the_same_with_values_as_text(preset):
    """As `--config` would hand them over: Snakemake reads its values with YAML's BaseLoader."""
    files = (CONFIG, preset)
    typed, text = (
        merged(*(yaml.load(path.read_text(), Loader=loader) for path in files))
        for loader in (yaml.SafeLoader, yaml.BaseLoader)
    )
    assert canonical_json(load(text).model_dump(mode="json")) == canonical_json(load(typed).model_dump(mode="json"))
