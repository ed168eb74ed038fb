"""The words by which people end, resume and explain texts; they bind where they are the whole message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Wish(StrEnum):
    """What is asked for, by the name that Twilio gives it (`OptOutType`)."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


@dataclass(frozen=True, slots=True)
class Keyword:
    wish: Wish
    everyday: bool
    """Whether people also say it in conversation, so that the text itself must be seen."""


_WORDS: Mapping[str, Keyword] = {
    **dict.fromkeys(
        ("STOP", "STOPALL", "UNSUBSCRIBE", "REVOKE", "OPTOUT", "ARRET", "ARRÊT", "ARRETE", "ARRETT"),
        Keyword(Wish.STOP, everyday=False),
    ),
    **dict.fromkeys(("CANCEL", "END", "QUIT"), Keyword(Wish.STOP, everyday=True)),
    **dict.fromkeys(("START", "UNSTOP"), Keyword(Wish.START, everyday=False)),
    "YES": Keyword(Wish.START, everyday=True),
    **dict.fromkeys(("HELP", "INFO"), Keyword(Wish.HELP, everyday=True)),
}


def wished(text: str, opt_out_type: str = "") -> Keyword | None:
    """What a whole message asks for; `opt_out_type` is Twilio's own verdict and outweighs the words.

    Twilio compares the single word, whatever its case, and so do we: "stop it" is a sentence.
    """
    word = _WORDS.get(text.strip().upper())
    try:
        told = Wish(opt_out_type.strip().upper())
    except ValueError:
        return word
    # Words of the admin's own choosing are known to Twilio alone: they may be everyday ones.
    return word if word is not None and word.wish is told else Keyword(told, everyday=True)
