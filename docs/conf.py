"""How the documentation is built: ``make docs``, or ``sphinx-build -W --keep-going docs build/docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "clvmodels"
author = "the clvmodels authors"
project_copyright = author
release = version_of("clvmodels")
version = release

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "extensions.package",
    "extensions.mathml",
    "extensions.together",
]
exclude_patterns = ["_build"]
default_role = "py:obj"  # a name in single backquotes is a link where there is something to link to

# ------------------------------------------------------------------------------------------- pages that are executed
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300
nb_execution_excludepatterns: list[str] = []
nb_merge_streams = True
nb_render_markdown_format = "myst"

# ------------------------------------------------------------------------------------------------ the reference
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("Array", "FloatArray", "Duration", "Priors", "Rate", "Unit", "Day")}
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_attr_annotations = False  # types stand in the signature
toc_object_entries_show_parents = "hide"

# ----------------------------------------------------------------------------------------------------- how it looks
html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"  # set by the browser: no script and no network
html_title = f"clvmodels {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "logo": {"text": "clvmodels"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "article_header_start": ["breadcrumbs"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "back_to_top_button": False,
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
