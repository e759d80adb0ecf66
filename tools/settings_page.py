"""Writes `docs/settings.md` from `settings/`: `python -m tools.settings_page`, from the root of the repository."""

from pathlib import Path

from upschedule.settings import loading

PAGE = Path(__file__).parents[1] / "docs/settings.md"
INTRODUCTION = """\
# Settings

Environment variables, read once at start. Written from `settings/` by `python -m tools.settings_page`.

Those that are live may be changed while processes run, by the key `upschedule/settings/GROUP/NAME` in Consul:
[how](live-settings.md). `upschedule settings` shows which value holds, and where it comes from."""


def render() -> str:
    """The page, whole; a test compares it with the file."""
    lines = [INTRODUCTION]
    group = ""
    for field in loading.fields():
        if field.group != group:
            group = field.group
            lines += ["", f"## {group}", "", "| variable | default | live | meaning |", "|---|---|---|---|"]
        default = "required" if field.required else f"`{field.default}`" if field.default != "" else "empty"
        live = f"`{field.group}/{field.name}`" if field.live else ""
        lines.append(f"| `{field.variable}` | {default} | {live} | {field.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
