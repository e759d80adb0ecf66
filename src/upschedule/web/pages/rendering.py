"""Templates to HTML, with the headers that every page carries."""

from pathlib import Path

import minijinja
from litestar import MediaType, Response

from upschedule.web.pages.assets import ASSETS

_TEMPLATES = Path(__file__).parents[1] / "templates"

#: Nothing inline, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _load(name: str) -> str | None:
    path = _TEMPLATES / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


_ENVIRONMENT = minijinja.Environment(
    loader=_load,
    filters={"asset": ASSETS.url},
    undefined_behavior="strict",
    # Its error messages would quote the variables, and with them a person's schedule, into the logs.
    debug=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, *, status_code: int = 200, **context: object) -> Response[str]:
    """Raises minijinja's TemplateError for a name that the context lacks."""
    return Response(
        _ENVIRONMENT.render_template(template, **context),
        status_code=status_code,
        media_type=MediaType.HTML,
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
        },
    )
