"""What all sections of the configuration share. Imported by the Snakefile: no torch here."""

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _plain_path(path: str) -> str:
    if not path.strip() or set("{}\n") & set(path):
        raise ValueError("must be a path, not empty and without braces")
    return os.path.normpath(os.path.expanduser(path))  # noqa: PTH111  (Path keeps "a/.." and Snakemake warns of "./a")


FilePath = Annotated[str, AfterValidator(_plain_path)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Unknown keys are errors, and values may come as text.

    `--config 'nas={seed: 3}'` hands over the text "3", and `--config run=2026` the number 2026: text is read as YAML
    where a key takes no text, and a number as text where it takes nothing else.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {name: cls._read(name, value) for name, value in values.items()}

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        field = cls.model_fields.get(name)
        if value is None and field is not None and field.default_factory is not None:
            return field.default_factory()  # type: ignore[call-arg]  # a name without anything under it
        if field is None or not isinstance(value, str) or not value.strip():
            return value
        if _takes_text(field.annotation):
            return None if value == "null" and not field.is_required() and field.default is None else value
        return parsed(value)


def parsed(text: str) -> Any:
    """What text says when it is read as YAML; the text itself if it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _takes_text(annotation: Any) -> bool:
    if get_origin(annotation) in (list, dict):
        return False
    return annotation is str or any(part is str or isinstance(part, str) for part in _parts(annotation))


def _parts(annotation: Any) -> Iterator[Any]:
    for part in get_args(annotation):
        yield part
        if get_origin(part) not in (list, dict):
            yield from _parts(part)


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]  # part of a path
