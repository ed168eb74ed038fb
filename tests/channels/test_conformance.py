"""The conformance kit over every channel that the registry finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels import registry
from channels.testing.conformance import Bench, Conformance
from channels.testing.conformance import bench as running


@pytest.fixture(params=sorted(registry.specs()))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(registry.spec(request.param), tmp_path) as one:
        yield one


class TestConformance(Conformance):
    """Every check, for every channel."""


def test_there_are_channels() -> None:
    assert "email" in registry.specs()
