"""The reference pages that are made from the code, so that they cannot lag behind it."""

from __future__ import annotations

from pathlib import Path

from channels import registry
from core.settings import Settings

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def settings_page() -> str:
    """Every setting, in the order of the code."""
    lines = ["# Settings", "", "Environment variables. Made from `core/settings.py` by `make docs`.", ""]
    lines += ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL"}.get(name, f"AUTOCRM_{name.upper()}")
        default = "" if field.default is None else f"`{getattr(field.default, 'value', field.default)}`"
        default = "" if default == "``" else default
        lines.append(f"| `{variable}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def channels_page() -> str:
    """Every channel with what it can do."""
    lines = ["# Channels", "", "Made from the channel folders by `make docs`.", ""]
    for spec in registry.specs().values():
        lines += [f"## {spec.title} (`{spec.id}`)", "", f"Comes in by: {', '.join(sorted(spec.ingress))}.", ""]
        lines += ["| Capability | |", "|---|---|"]
        for name, value in spec.capabilities.model_dump(mode="json").items():
            shown = ", ".join(sorted(map(str, value))) if isinstance(value, list) else value
            lines.append(f"| {name} | {shown} |")
        lines.append("")
        lines += ["| Setting | Meaning |", "|---|---|"]
        for name, field in registry.settings_model(spec.id).model_fields.items():
            lines.append(f"| `{name}` | {field.description or field.title or ''} |")
        lines.append("")
    return "\n".join(lines)


PAGES = {"settings.md": settings_page, "channels.md": channels_page}


def write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
