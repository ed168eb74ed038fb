"""Thousands of damaged mails: each becomes events or is Malformed, the same way each time, within bounded time.

`AUTOCRM_FUZZ` sets how many (500 unless set). A mail that fails is named by its number: the seed is fixed.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from channels.contract import Malformed
from tests.channels.email.mailbox import channel, raw

SEED = 20_261_121
COUNT = int(os.environ.get("AUTOCRM_FUZZ", "500"))
SPLICES = (
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"--",
    b"=?utf-8?B?",
    b"?=",
    b"boundary=",
    b'Content-Type: multipart/mixed; boundary=""\r\n',
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b'charset="utf-16"',
    b"charset=idna",
    b"charset*0*=a'b'c",
    b"filename*=utf-8''%00%ff",
    b'filename*0*=x; filename*1="',
    b"From: ",
    b'From: "\\',
    b"To: a:b:c;;,,<<>>",
    b"Date: Mon, 99",
    b"\xff\xfe",
    b"\xf0\x9f\x98",
    b"<!--",
    b"<![CDATA[",
    b"<svg><",
    b"&#x110000;",
    b"On 1 wrote:\n> ",
    b"-- \n",
    b"begin 644 x\n",
    b"Content-Type: message/delivery-status\r\n\r\n",
    b"References: <",
    b"+ru",
    b"\x1b$B",
    b">" * 50,
)


def mutated(body: bytes, other: bytes, chance: random.Random) -> bytes:
    """A few random injuries: octets flipped, spans cut, doubled, moved or swapped with another mail's, fragments put in."""
    data = bytearray(body[:200_000])
    for _injury in range(chance.choice((1, 1, 2, 3, 5, 8, 20))):
        if not data:
            data = bytearray(b"x")
        at = chance.randrange(len(data))
        length = min(len(data) - at, chance.choice((1, 2, 5, 20, 100, 1_000)))
        match chance.randrange(8):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * chance.choice((1, 2, 10))
            case 3:
                data[at:at] = chance.choice(SPLICES)
            case 4:
                start = chance.randrange(max(1, len(other)))
                data[at : at + length] = other[start : start + length]
            case 5:
                del data[at:]
            case 6:
                data[at : at + length] = bytes(chance.randrange(256) for _octet in range(length))
            case 7:
                lines = bytes(data).split(b"\n")
                chance.shuffle(lines)
                data = bytearray(b"\n".join(lines))
    return bytes(data)


def test_damaged_mail_never_crashes_the_parser(material: Path) -> None:
    files = sorted(one for one in (material / "mail").rglob("*") if one.suffix in {".eml", ".txt"} and one.is_file())
    corpus = [one.read_bytes() for one in files]
    assert len(corpus) > 300
    adapter = channel()
    outcomes = {"events": 0, "malformed": 0}
    for number in range(COUNT):
        chance = random.Random(SEED + number)
        body = mutated(chance.choice(corpus), chance.choice(corpus), chance)
        transport = {
            "protocol": "smtp",
            "mail_from": chance.choice(["", "ann@customer.test", "\udcff"]),
            "rcpt_to": ["support@shop.test"],
        }
        started = time.process_time()
        try:
            first = adapter.parse(raw(body, **transport))
            assert list(first) == list(adapter.parse(raw(body, **transport))), (
                f"mail {number} is not parsed alike twice"
            )
            for event in first:
                assert event.model_dump_json(exclude={"attachments": {"__all__": {"content"}}}), (
                    f"mail {number} cannot be written down"
                )
            outcomes["events"] += 1
        except Malformed:
            outcomes["malformed"] += 1
        except Exception as error:
            raise AssertionError(f"mail {number}: {type(error).__name__}: {error}") from error
        assert time.process_time() - started < 20, f"mail {number} takes too long"
    assert outcomes["events"] > COUNT / 2, outcomes
    assert outcomes["malformed"] > 0, outcomes
