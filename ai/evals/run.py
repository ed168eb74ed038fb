"""Runs the evaluations of the answers, each in a database of its own.

    python -m ai.evals.run [--only QUESTIONS|E1|E2|E5|SMOLLM] [--quick]

Prints a table per evaluation and writes it to build/reports/<name>.json. E1 and E2 read XQuAD from the folder that
AUTOCRM_MATERIAL names, E5 the recordings. SMOLLM installs a model and compiles its server, and so runs only when asked for.
"""

from __future__ import annotations

import argparse
import asyncio
from enum import StrEnum

from ai.evals import sets, smollm, speech, xquad
from ai.evals.report import Report
from ai.evals.stage import REPORTS, database
from ai.providers.vectors import LocalEmbedder
from core.db import dispose


class Evaluation(StrEnum):
    QUESTIONS = "QUESTIONS"
    E1 = "E1"
    E2 = "E2"
    E5 = "E5"
    SMOLLM = "SMOLLM"


async def _run(wanted: list[Evaluation], *, quick: bool) -> list[Report]:
    embedder = LocalEmbedder(threads=2)
    reports: list[Report] = []
    try:
        if Evaluation.QUESTIONS in wanted:
            reports.append(await sets.run(embedder, quick=quick))
        if Evaluation.SMOLLM in wanted:
            reports.append(await smollm.run(embedder, quick=quick))
        if read := [name.value for name in wanted if name in (Evaluation.E1, Evaluation.E2)]:
            reports += await xquad.run(embedder, quick=quick, wanted=read)
        if Evaluation.E5 in wanted:
            reports.append(await speech.run(quick=quick))
    finally:
        await dispose()
    return reports


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ai.evals.run", description="Evaluates the answers.")
    parser.add_argument("--only", type=Evaluation, choices=list(Evaluation), help="just this one")
    parser.add_argument("--quick", action="store_true", help="a part of the questions")
    options = parser.parse_args()
    wanted = [options.only] if options.only else [Evaluation.QUESTIONS, Evaluation.E1, Evaluation.E2, Evaluation.E5]
    if set(wanted) & {Evaluation.E1, Evaluation.E2}:
        xquad.material()
    with database():
        reports = asyncio.run(_run(wanted, quick=options.quick))
    for report in reports:
        print(f"{report.table()}\n{report.write(REPORTS)}\n")


if __name__ == "__main__":
    main()
