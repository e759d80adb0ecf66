"""Scripts are joined without a change of behaviour."""

import pytest

from upschedule.web.pages.bundle import CannotBundle, bundled

MODULES = {
    "main.js": 'import { double } from "./double.js";\nimport { two } from "./two.js";\n\nvalue(double(two));\n',
    "double.js": 'import { two } from "./two.js";\n\nexport function double(n) {\n  return two * n;\n}\n',
    "two.js": "const name = 2;\nexport const two = name;\n",
}


def test_every_module_comes_once_and_after_what_it_imports() -> None:
    bundle = bundled("main.js", MODULES)

    positions = [bundle.index(f"const ${name} =") for name in ("two", "double", "main")]
    assert positions == sorted(positions)
    assert bundle.count("const name = 2;") == 1
    assert "import" not in bundle
    assert "export" not in bundle


@pytest.mark.parametrize(
    "text",
    ['import everything from "./two.js";\n', "export default 1;\n", 'import { main } from "./main.js";\n'],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """Otherwise browsers would get a broken script."""
    with pytest.raises(CannotBundle):
        bundled("main.js", MODULES | {"two.js": text})
