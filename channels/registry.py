"""Finds the channel folders and installed `autocrm.channels` entry points; loads adapters on first use.

A folder counts as a channel when its `__init__.py` defines `SPEC: ChannelSpec`. Nothing else
knows which channels exist.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

import channels
from channels.contract import Adapter, ChannelSpec, Context

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnknownChannel(LookupError):
    """No folder or entry point provides this channel."""


@cache
def specs() -> Mapping[str, ChannelSpec]:
    """Every channel by id, in alphabetical order."""
    found: dict[str, ChannelSpec] = {}
    for module in pkgutil.walk_packages(channels.__path__, "channels."):
        if module.ispkg and not module.name.startswith("channels.testing"):
            spec = getattr(importlib.import_module(module.name), "SPEC", None)
            if isinstance(spec, ChannelSpec):
                found[spec.id] = spec
    for point in entry_points(group="autocrm.channels"):
        spec = point.load()
        if isinstance(spec, ChannelSpec):
            found[spec.id] = spec
    return dict(sorted(found.items()))


def spec(channel: str) -> ChannelSpec:
    """Raises UnknownChannel."""
    try:
        return specs()[channel]
    except KeyError:
        raise UnknownChannel(channel) from None


@cache
def load(target: str) -> Any:
    """What a card names as `package.module:Name`, imported on first use."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def adapter_class(channel: str) -> type[Adapter]:
    return cast("type[Adapter]", load(spec(channel).adapter))


def settings_model(channel: str) -> type[BaseModel]:
    return cast("type[BaseModel]", load(spec(channel).settings))


def build(channel: str, context: Context) -> Adapter:
    """A fresh adapter for one account. The caller closes it."""
    return adapter_class(channel)(context)  # type: ignore[call-arg]
