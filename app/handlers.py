"""Every job handler of the house, imported by whoever runs jobs."""

import ai.embedding
import ai.reply
import ai.speech.job
import core.delivery.send
import core.intake.media
import core.intake.process
import core.people.resets

__all__ = ["ai", "core"]
