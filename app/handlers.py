"""Every job handler of the house, imported by whoever runs jobs."""

import ai.embedding
import ai.reply
import core.delivery.send
import core.intake.process

__all__ = ["ai", "core"]
