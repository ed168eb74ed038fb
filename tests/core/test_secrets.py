"""Sealed values: open where they belong, with any key we have, and nowhere else."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.secrets import SealBroken, derive, seal, unseal
from core.settings import settings as house_settings

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("AUTOCRM_DATA", str(tmp_path))
    monkeypatch.delenv("AUTOCRM_MASTER_KEY", raising=False)
    house_settings.cache_clear()
    yield monkeypatch
    house_settings.cache_clear()


def use(patch: pytest.MonkeyPatch, *keys: str) -> None:
    patch.setenv("AUTOCRM_MASTER_KEY", " ".join(keys))
    house_settings.cache_clear()


def test_what_is_sealed_opens_in_its_place_and_only_there() -> None:
    sealed = seal(b"swordfish", "channel_accounts/1/sealed")
    assert b"swordfish" not in sealed
    assert unseal(sealed, "channel_accounts/1/sealed") == b"swordfish"
    for place in ("channel_accounts/2/sealed", "channel_accounts/1/other", ""):
        with pytest.raises(SealBroken):
            unseal(sealed, place)


def test_the_same_value_never_looks_the_same_twice() -> None:
    assert seal(b"x", "p") != seal(b"x", "p")


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(at=st.integers(0, 200), flip=st.integers(1, 255))
def test_a_changed_byte_breaks_the_seal(at: int, flip: int) -> None:
    sealed = bytearray(seal(b"swordfish", "p"))
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(SealBroken):
        unseal(bytes(sealed), "p")


@pytest.mark.parametrize("junk", [b"", b"\x01", b"\x01abcd", b"\x02" + b"x" * 60])
def test_junk_is_a_broken_seal_and_no_other_error(junk: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(junk, "p")


def test_keys_rotate_and_old_values_stay_readable(data: pytest.MonkeyPatch) -> None:
    use(data, OLD)
    before, token = seal(b"old", "p"), derive("tokens")
    use(data, OLD, NEW)
    after = seal(b"new", "p")
    assert (unseal(before, "p"), unseal(after, "p")) == (b"old", b"new")
    assert derive("tokens") == token, "addresses signed before the rotation still hold"
    use(data, NEW)
    assert unseal(after, "p") == b"new"
    with pytest.raises(SealBroken):
        unseal(before, "p")


def test_the_key_made_at_first_is_kept_and_is_nobody_elses(tmp_path: Path) -> None:
    sealed = seal(b"x", "p")
    file = house_settings().data / "keys" / "master"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert len(base64.b64decode(file.read_text())) == 32
    house_settings.cache_clear()
    assert unseal(sealed, "p") == b"x"


@pytest.mark.parametrize("key", [base64.b64encode(b"short").decode(), base64.b64encode(b"x" * 33).decode()])
def test_a_key_of_another_length_is_refused(data: pytest.MonkeyPatch, key: str) -> None:
    use(data, key)
    with pytest.raises(ValueError, match="32 bytes"):
        seal(b"x", "p")


def test_each_purpose_has_a_secret_of_its_own() -> None:
    assert len({derive("a"), derive("b"), derive("account/1")}) == 3
    assert len(derive("a")) == 32


def test_settings_never_show_their_secrets(data: pytest.MonkeyPatch) -> None:
    use(data, OLD)
    data.setenv("DATABASE_URL", "postgresql://u:hunter2@h/d")
    data.setenv("AUTOCRM_AI_API_KEY", "sk-secret")
    house_settings.cache_clear()
    for shown in (repr(house_settings()), str(house_settings()), house_settings().model_dump_json()):
        assert not {OLD, "hunter2", "sk-secret"} & set(shown.replace("'", '"').split('"'))
        assert OLD not in shown
        assert "hunter2" not in shown
        assert "sk-secret" not in shown
