"""Pages: one kit of parts, rendered as a public evidence site and as restricted casework.

Facts and reports come in (`hrtech.facts`), files go out: a table of path, media type and content. Built with Jinja2
and Vega-Lite in Python alone. Belongs here: how things look and the way from a number to its source. Does not: numbers
(no page computes one), decisions about where files go, serving them, and approving a publication.
"""

from hrtech.pages.casework import CSRF_PLACEHOLDER, render_casework
from hrtech.pages.errors import PageError
from hrtech.pages.evidence import render_evidence, site_hash
from hrtech.pages.provenance import LINEAGE_COLUMNS

__all__ = [
    "CSRF_PLACEHOLDER",
    "LINEAGE_COLUMNS",
    "PageError",
    "render_casework",
    "render_evidence",
    "site_hash",
]
