"""The base class and the types of values that all sections of the configuration share."""

import os
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from nasmake.core.errors import InputError, one_line, shown
from nasmake.core.json_text import parse_json
from nasmake.core.yaml_text import parse_yaml

LONGEST_NAME = 200  # bytes; a file system allows 255, and a file's name may have more parts than this one
LONGEST_PATH = 1000  # bytes; the folders of a run and their files are still to come
# For editors: no signs of ASCII but these. `_check_name` also refuses other signs than letters, marks and digits.
NAME = r"^[^\x00-/:-@\[-^`{-\x7f][^\x00-,/:-@\[-^`{-\x7f]*$"


def _check_name(name: str) -> str:
    """Return the name in the composed form (NFC), since keyboards and file systems spell é in two ways."""
    name = unicodedata.normalize("NFC", name)
    is_spelled_well = all(char in "_.-" or unicodedata.category(char)[0] in "LMN" for char in name)
    if not is_spelled_well or name[:1] in ("", ".", "-"):
        raise ValueError("expected letters of any script, digits, _, . and -, not beginning with . or -")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"expected at most {LONGEST_NAME} bytes; a letter outside of A to Z has 2 to 4")
    return name


def _normalise_path(path: str) -> str:
    if not path.strip() or set("{}") & set(path) or not path.isprintable():
        raise ValueError("expected a path that is not empty and has no braces and no control characters")
    if len(path.encode()) > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in path.split("/")):
        raise ValueError(f"expected at most {LONGEST_PATH} bytes, and {LONGEST_NAME} in each name")
    return os.path.normpath(os.path.expanduser(path))  # noqa: PTH111  (Path keeps "a/.." and Snakemake warns of "./a")


def _check_different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("expected different numbers, because each counts as a repetition")
    return seeds


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "pattern": NAME})]  # of a folder
FilePath = Annotated[str, AfterValidator(_normalise_path)]
# The upper bounds below allow any real use. They refuse slips of the keyboard, which would end in a full memory, in an
# overflow or in a study without an end.
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Seeds = Annotated[list[Seed], Field(max_length=1000), AfterValidator(_check_different)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]  # of images, networks, trials or passes
Cost = Annotated[int, Field(ge=1, le=10**15)]  # multiply-adds or parameters
Target = Annotated[float, Field(gt=0, le=1e15)]  # of any cost
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Rate = Annotated[float, Field(gt=0, le=1e20)]  # a learning rate; the largest ones break any network at once
Decay = Annotated[float, Field(ge=0, le=1000)]  # a factor of a penalty


class Section(BaseModel):
    """A section of the configuration. An unknown key is an error.

    A value may be text, because Snakemake passes `--config 'nas={seed: 3}'` on as the text "3". Text is parsed as YAML
    where the key takes no text. Conversely, a number becomes text where the key takes only text: `--config run=2026`.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        parsed_values = {key: cls._parse(key, value) for key, value in values.items()}
        for key, value in parsed_values.items():
            entries, field = value if isinstance(value, list) else [value], cls.model_fields.get(key)
            if field and _is_number(field.annotation) and any(isinstance(entry, bool) for entry in entries):
                raise ValueError(f"{key} is {shown(value)}; expected a number")  # pydantic would read 1 or 0
        return parsed_values

    @classmethod
    def from_json_text(cls, text: str, source: str) -> Self:
        """Return the section in JSON text; `source` names the argument that holds it, for the error.

        Raises:
            InputError: the text is not JSON, or a key is unknown or its value is not allowed.
        """
        try:
            return cls.model_validate(parse_json(text, source))
        except ValidationError as error:
            raise InputError(one_line(error, cls), source) from None

    @classmethod
    def _parse(cls, key: str, value: Any) -> Any:
        field = cls.model_fields.get(key)
        if field is None:
            return value
        origin = get_origin(field.annotation)
        if value is None and origin in (list, dict):  # the file has the key and nothing below it
            return origin()
        if not isinstance(value, str) or not value.strip():
            return value
        if _takes_text(field.annotation):
            return None if value == "null" and not field.is_required() and field.default is None else value
        return parsed(value)


def parsed(text: str) -> Any:
    """Return the value of a text that is read as YAML, or the text itself if it is not valid YAML, or is a date."""
    try:
        return parse_yaml(text, "text")
    except InputError:
        return text


def _takes_text(annotation: Any) -> bool:
    """Return whether a key of this type takes text. The types of entries of a list or mapping do not count."""
    if get_origin(annotation) in (list, dict):
        return False
    return annotation is str or isinstance(annotation, str) or any(map(_takes_text, get_args(annotation)))


def name_beside(*taken: str) -> AfterValidator:
    """Return the check of a name that a user gives to some units of a run, beside units with the names in `taken`."""

    def check_name(name: str) -> str:
        if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in taken:
            raise ValueError(
                f"expected small letters, digits and _, beginning with a letter, but none of {', '.join(taken)}"
            )
        return name

    return AfterValidator(check_name)


def _parse_value(value: Any) -> Any:
    return parsed(value) if isinstance(value, str) else value  # --config gives numbers as text


Changes = dict[str, Annotated[Any, BeforeValidator(_parse_value)]]  # dotted keys and their values


def _is_number(annotation: Any) -> bool:
    """Return whether a key of this type takes numbers, or a list of numbers."""
    return annotation in (int, float) or any(map(_is_number, get_args(annotation)))
