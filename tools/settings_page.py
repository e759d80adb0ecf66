"""Writes `docs/settings.md` from `settings.py`: `python -m tools.settings_page`, from the root of the repository."""

from pathlib import Path

from upschedule import settings

PAGE = Path(__file__).parents[1] / "docs/settings.md"


def render() -> str:
    """The page, whole; a test compares it with the file."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at start. Written from `settings/` by `python -m tools.settings_page`.",
    ]
    group = ""
    for field in settings.fields():
        if field.group != group:
            group = field.group
            lines += ["", f"## {group}", "", "| variable | default | meaning |", "|---|---|---|"]
        default = "required" if field.required else f"`{field.default}`"
        lines.append(f"| `{field.variable}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
