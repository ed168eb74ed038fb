"""What an admin chooses for a widget; the JSON schema of this model draws the form."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WidgetSettings(BaseModel):
    """One widget on one site."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Chat widget")

    colour: str = Field(
        default="#0f5c4a",
        pattern=r"^#[0-9a-fA-F]{6}$",
        title="Colour",
        description="The colour of the button and of the header, as #rrggbb.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        title="Allowed sites",
        description="Addresses such as https://shop.example that may show the widget. Empty: every site may.",
    )
