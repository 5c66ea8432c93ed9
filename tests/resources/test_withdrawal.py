"""What the candidate no longer holds goes from the published site at once, and nothing else does."""

import hashlib
import json

import pandas as pd
import pytest

from resources.withdrawal import withdraw_entities


def candidate(**pages):
    """A site with one page per keyword: its evidence, or None where it was withdrawn."""
    held = {
        f"entities/firms/{name}.html": {
            "state": "published" if evidence else "withdrawn", "evidence": evidence or "",
            "files": [f"data/firms_{name}.csv"],
        }
        for name, evidence in pages.items()
    }  # fmt: skip
    items = "".join(f'<li><a href="{name}.html">Firm {name}</a></li>\n' for name in pages)
    files = {
        "index.html": b"<p>No one is named</p>",
        "entities/firms/pages.json": json.dumps({"study": "firms", "pages": held}).encode(),
        "entities/firms/index.html": f"<ul>\n{items}</ul>\n".encode(),
        **{f"entities/firms/{name}.html": f"Firm {name} owes wages".encode() for name in pages},
        **{f"data/firms_{name}.csv": f"Firm {name}".encode() for name in pages},
    }
    manifest = {
        "title": "T",
        "files": {path: hashlib.sha256(text).hexdigest() for path, text in files.items()},
    }
    files["manifest.json"] = json.dumps(manifest).encode()
    return pd.DataFrame({"path": list(files), "content": list(files.values())})


@pytest.fixture
def site(tmp_path):
    for path, content in candidate(one="a", two="b").itertuples(index=False):
        target = tmp_path / "site" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return tmp_path / "site"


def contents(site):
    return {
        path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()
    }


def test_what_still_holds_stays_as_it_is(site):
    before = contents(site)
    assert withdraw_entities(site, candidate(two="b", one="a", three="c")) == []
    assert contents(site) == before


@pytest.mark.parametrize(
    "now",
    [candidate(two="b"), candidate(one="other", two="b"), candidate(one=None, two="b")],
    ids=["gone", "changed", "withdrawn"],
)
def test_a_page_that_no_longer_holds_is_taken_down_with_all_its_files(site, now):
    kept = contents(site)
    assert withdraw_entities(site, now) == ["entities/firms/one.html"]
    after = contents(site)
    assert not any(b"Firm one" in content for content in after.values())
    assert (
        b"This page was withdrawn" in after["entities/firms/one.html"] and "data/firms_one.csv" not in after
    )
    for path in ("entities/firms/two.html", "data/firms_two.csv", "index.html"):
        assert after[path] == kept[path]
    assert after["entities/firms/index.html"] == b'<ul>\n<li><a href="two.html">Firm two</a></li>\n</ul>\n'
    manifest = json.loads(after["manifest.json"])
    assert manifest["withdrawn"] == ["entities/firms/one.html"]
    assert manifest["files"] == {
        path: hashlib.sha256(content).hexdigest()
        for path, content in after.items()
        if path != "manifest.json"
    }
    assert withdraw_entities(site, now) == []
    assert contents(site) == after


def test_no_site_and_no_entities_are_nothing_to_do(tmp_path):
    assert withdraw_entities(tmp_path / "none", candidate(one="a")) == []
    assert withdraw_entities(tmp_path, pd.DataFrame({"path": ["index.html"], "content": [b""]})) == []


def test_a_list_that_leads_out_of_the_site_is_refused(site, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    held = {"entities/firms/one.html": {"state": "published", "evidence": "a", "files": ["../precious.txt"]}}
    (site / "entities/firms/pages.json").write_text(json.dumps({"study": "firms", "pages": held}))
    with pytest.raises(ValueError, match="leaves the site"):
        withdraw_entities(site, candidate(two="b"))
    assert (tmp_path / "precious.txt").exists()
