"""The base class and the types of values that all sections of the configuration share."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

NAME = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError("expected letters of A to Z, digits, _, . and -, not beginning with . or -")
    return name


def _normalise_path(path: str) -> str:
    if not path.strip() or set("{}\n") & set(path):
        raise ValueError("expected a path that is not empty and has no braces")
    return os.path.normpath(os.path.expanduser(path))  # noqa: PTH111  (Path keeps "a/.." and Snakemake warns of "./a")


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "pattern": NAME})]  # of a folder
FilePath = Annotated[str, AfterValidator(_normalise_path)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of the configuration. An unknown key is an error.

    A value may be text, because Snakemake passes `--config 'nas={seed: 3}'` on as the text "3". Text is parsed as YAML
    where the key takes no text. Conversely, a number becomes text where the key takes only text: `--config run=2026`.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, values: Any) -> Any:
        return {key: cls._parse(key, value) for key, value in values.items()} if isinstance(values, Mapping) else values

    @classmethod
    def _parse(cls, key: str, value: Any) -> Any:
        field = cls.model_fields.get(key)
        if field is None:
            return value
        if value is None and field.default_factory is not None:  # the file has the section's name and nothing below it
            return field.default_factory()  # type: ignore[call-arg]
        if not isinstance(value, str) or not value.strip():
            return value
        if _takes_text(field.annotation):
            return None if value == "null" and not field.is_required() and field.default is None else value
        return parsed(value)


def parsed(text: str) -> Any:
    """Return the value of a text that is read as YAML, or the text itself if it is not valid YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _takes_text(annotation: Any) -> bool:
    """Return whether a key of this type takes text. The types of entries of a list or mapping do not count."""
    if get_origin(annotation) in (list, dict):
        return False
    return annotation is str or isinstance(annotation, str) or any(map(_takes_text, get_args(annotation)))
