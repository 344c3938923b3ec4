"""The options of a method on the command line: the fields of its configuration become ``--field value``.

A method's configuration is the dataclass ``<Class>Config`` beside the detector class; a detector without one offers
the keyword arguments of its constructor. Only options that were given are passed on, so defaults live in one place.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from paad.errors import UsageError

_PREFIX = "option_"
_OWN = ("device",)


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a method. ``type`` is its annotation, ``default`` its default value."""

    name: str
    type: Any
    default: Any
    help: str = ""


def options_of(detector: type[Any]) -> list[Option]:
    """The options that the detector class takes."""
    config = getattr(sys.modules[detector.__module__], f"{detector.__name__}Config", None)
    if dataclasses.is_dataclass(config) and isinstance(config, type):
        hints, notes = typing.get_type_hints(config), _comments(config)
        found = [
            Option(f.name, hints[f.name], _default(f), f.metadata.get("help", notes.get(f.name, "")))
            for f in dataclasses.fields(config)
            if f.init
        ]
    else:
        hints = typing.get_type_hints(detector.__init__)
        found = [
            Option(p.name, hints.get(p.name, str), p.default)
            for p in list(inspect.signature(detector.__init__).parameters.values())[1:]
            if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    return [option for option in found if option.name not in _OWN]


def add_options(parser: argparse.ArgumentParser, title: str, options: list[Option]) -> None:
    """Declare ``options`` in a group of their own. Options of a type that no text can express are left out."""
    group = parser.add_argument_group(title)
    for option in options:
        keywords = _keywords(option.type)
        if keywords is None:
            continue
        note = f"{option.help} (default: {option.default})".lstrip().replace("%", "%%")
        group.add_argument(
            "--" + option.name.replace("_", "-"),
            dest=_PREFIX + option.name,
            default=argparse.SUPPRESS,
            help=note,
            **keywords,
        )


def given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The method's options that the user gave, by field name; several values become a tuple."""
    return {
        name.removeprefix(_PREFIX): tuple(value) if isinstance(value, list) else value
        for name, value in vars(args).items()
        if name.startswith(_PREFIX)
    }


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _keywords(kind: Any) -> dict[str, Any] | None:
    """What argparse needs to read a value of the annotation ``kind``; None where text cannot express it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if kind in (int, float, str):
        return {"type": kind, "metavar": kind.__name__.upper()}
    if origin is typing.Literal:
        return {"choices": arguments, "type": type(arguments[0])}
    if origin in (typing.Union, types.UnionType):
        plain = [a for a in arguments if a is not type(None)]
        inner = _keywords(plain[0]) if len(plain) == 1 else None
        if inner is None or len(plain) == len(arguments) or "type" not in inner:
            return inner
        choices = {"choices": (*inner["choices"], None)} if "choices" in inner else {}
        return {**inner, "type": _or_none(inner["type"]), **choices}
    if origin is tuple and arguments:
        inner = _keywords(arguments[0])
        count: int | str = "+" if arguments[-1] is Ellipsis else len(arguments)
        return None if inner is None or "type" not in inner else {**inner, "nargs": count}
    return None


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """``read`` that also takes the word none."""

    def value(text: str) -> Any:
        return None if text.lower() == "none" else read(text)

    value.__name__ = f"{getattr(read, '__name__', 'value')} or none"
    return value


def _comments(config: type[Any]) -> dict[str, str]:
    """The comment at the end of each field's line, or above it, by field name; inherited fields too."""
    found: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _comments_in(base)
    return found


def _comments_in(base: type[Any]) -> dict[str, str]:
    try:
        lines = inspect.getsource(base).splitlines()
    except OSError:  # a class made by code that lies in no file
        return {}
    found, above = {}, ""
    for line in lines:
        code, _, comment = line.strip().partition("#")
        name = code.partition(":")[0].strip()
        if code and name.isidentifier() and ":" in code:
            found[name] = comment.strip() or above
        above = comment.strip() if not code.strip() else ""
    return found


def method_options(name: str) -> list[Option]:
    """The options of the method registered under ``name``.

    Raises:
        UsageError: no such method.
        MissingDependencyError: the method needs a package that is not installed.
    """
    from paad.detectors import method_class

    detector = method_class(name)
    if not isinstance(detector, type):
        raise UsageError(f"method {name!r} is registered as {detector!r}; it must be a class")
    return options_of(detector)
