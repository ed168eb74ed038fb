"""Fixtures for the tests of all channels."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("channels.testing.conformance")
