"""B9: from a mail handed in to its answer handed out, less what the embedding and the search take by themselves.

Everything is real: the receiver, the worker, the vectors' process, the outgoing SMTP. The composer is the extractive one,
so no model's time is in it. Mails come one at a time; the house is otherwise idle, as it is when a person waits.
"""

from __future__ import annotations

import asyncio
import random
import time

from ai.embedding import embed_missing
from ai.language import identify
from ai.providers.vector_server import embedder
from ai.query import prepare
from ai.retrieval import embed_query, search
from benchmarks.report import SEED, Figure, Report, percentile
from benchmarks.stage import ROOT, Stage
from channels.email.fake import CustomerMailbox, FakeMailProvider
from core import db
from core.accounts.service import connect
from core.db import transaction
from core.knowledge.importing import import_folder

SUPPORT = "help@fernweh.example"
QUESTIONS = (
    "How do I return a tent that I bought two weeks ago?",
    "Where is my parcel? I would like to track my order.",
    "I forgot my password. How can I reset it?",
    "How long does the refund take after a return?",
)


async def _alone(question: str) -> float:
    """Milliseconds of the embedding and the SQL, for the same question."""
    begun = time.perf_counter()
    query = prepare(question, "Question")
    language = identify(question, None) or "en"
    vectors = await embed_query(query, language, embedder())
    async with transaction() as session:
        await search(session, query, locale=language, embedder=embedder(), vectors=vectors, limit=20)
    return 1000 * (time.perf_counter() - begun)


async def measure(stage: Stage, *, repeats: int, quick: bool, scale: float) -> Report:
    count = max(3, int(60 * scale))
    dice = random.Random(SEED)
    whole: list[float] = []
    alone: list[float] = []
    ledger = stage.folder / f"ledger-{time.monotonic_ns()}.jsonl"
    async with stage.house() as house, FakeMailProvider(ledger) as provider:
        try:
            async for _progress in import_folder(ROOT / "app/demo/help_centre"):
                pass
            async with transaction() as session:
                await connect(
                    session, "email", "Support",
                    {"address": SUPPORT, "smtp_host": provider.host, "smtp_port": provider.port, "smtp_security": "none"},
                )  # fmt: skip
            house.start("gateway")
            await house.until_open(house.smtp_port, "gateway")
            await vectors_loaded()
            await embed_missing(embedder())
            house.start("worker")
            for number in range(count + 2):
                question = QUESTIONS[number % len(QUESTIONS)]
                mail = CustomerMailbox(f"c{number}@customer.example").compose(SUPPORT, "Question", question)
                begun = time.perf_counter()
                await CustomerMailbox(f"c{number}@customer.example").write("127.0.0.1", house.smtp_port, mail)
                await provider.wait_for(number + 1, 60)
                took = 1000 * (time.perf_counter() - begun)
                if number >= 2:  # the first two warm the worker up
                    whole.append(took)
                    alone.append(await _alone(question))
                await asyncio.sleep(dice.uniform(0.02, 0.08))
        finally:
            await embedder().aclose()
            await db.dispose()
    base = percentile(alone, 0.5)
    added = [took - base for took in whole]
    return Report(
        "reply-overhead",
        "B9 reply overhead: mail in to answer out, extractive, one at a time",
        [
            Figure("added, p95", round(percentile(added, 0.95), 1), "ms",
                   (round(min(added), 1), round(max(added), 1)), 250, at_least=False),
            Figure("added, p50", round(percentile(added, 0.5), 1), "ms"),
            Figure("whole way, p50", round(percentile(whole, 0.5), 1), "ms"),
            Figure("whole way, p95", round(percentile(whole, 0.95), 1), "ms"),
            Figure("embedding and SQL alone, p50", round(base, 1), "ms"),
        ],
        1,
        {"mails": count},
        quick,
    )  # fmt: skip


async def vectors_loaded() -> None:
    from core.errors import Unavailable

    deadline = time.monotonic() + 60
    while True:
        try:
            await embedder().embed(["ready"])
            return
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
