"""A screen as a phone and a desk show it, in both themes."""

from pathlib import Path

from tests.support.browser.accessibility import violations
from tests.support.browser.user import User

#: Texts whose contrast with what lies behind them is under 4.5:1, by WCAG's formula.
TOO_FAINT = """() => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = ([...rgb]) => {
        const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = rgb.slice(0, 3).map(v => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = channels(getComputedStyle(element).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
        return [255, 255, 255];
    };
    const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    return [...document.querySelectorAll("main *")].filter(element => hasText(element) && element.checkVisibility())
        .filter(element => {
            const [text, ground] = [channels(getComputedStyle(element).color), behind(element)].map(luminance);
            return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05) < 4.5;
        })
        .map(element => `${element.className}: ${element.textContent.trim()}`);
}"""

_TRANSITIONS_ENDED = "() => document.getAnimations().every(animation => animation.playState !== 'running')"


def check_screen(user: User, kept: Path, name: str) -> None:
    """Without violations of axe's rules, without faint text (WCAG 1.4.3), and no wider than its window.

    Keeps a screenshot of each width and theme.
    """
    for theme in ("light", "dark"):
        user.page.emulate_media(color_scheme=theme)
        for width in (390, 1440):
            user.page.set_viewport_size({"width": width, "height": 900})
            # Buttons fade to their new colours: a text in between is not what a person reads.
            # The condition is evaluated in each frame: without that, Chromium may draw none, and nothing would end.
            user.page.wait_for_function(_TRANSITIONS_ENDED)
            assert violations(user.page) == [], (name, width, theme)
            assert not user.overflows(), (name, width, theme)
            user.keep_screenshot(kept / f"{name}-{width}-{theme}.png")
        assert user.page.evaluate(TOO_FAINT) == [], (name, theme)
