"""What an image's list of packages says, from files as Debian and wheels have them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from deskmate.sandbox.software import (
    UNKNOWN,
    debian_licence,
    debian_packages,
    extracted_packages,
    wheels,
)

STATUS = """\
Package: libreoffice-core-nogui
Status: install ok installed
Source: libreoffice (1:7.4.7-1)
Version: 4:7.4.7-1+deb12u14
Description: office suite
 Package: not one
 Version: 9

Package: gone
Status: deinstall ok config-files
Version: 1

Package: jq
Status: install ok installed
Version: 1.6-2.1
"""


def test_installed_packages_have_version_source_and_licence(tmp_path: Path) -> None:
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(STATUS)
    copyright_ = tmp_path / "usr/share/doc/jq/copyright"
    copyright_.parent.mkdir(parents=True)
    copyright_.write_text(
        "Format: https://x\n\nFiles: *\nLicense: Expat\n words\n\nLicense: CC-BY-3.0\n"
    )
    jq, office = debian_packages(tmp_path)
    assert (jq["name"], jq["version"], jq["source"]) == ("jq", "1.6-2.1", "jq")
    assert jq["licence"] == "CC-BY-3.0, Expat"
    assert (office["source"], office["source_version"]) == ("libreoffice", "1:7.4.7-1")
    assert office["licence"] == UNKNOWN


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("see /usr/share/common-licenses/GPL-2.", "GPL-2"),
        ("Permission is hereby granted, free of charge, to any person", "MIT"),
        ("", UNKNOWN),
        ("Format: x\nno field here", UNKNOWN),
    ],
)
def test_licences_are_read_from_older_files_too(text: str, licence: str) -> None:
    assert debian_licence(text) == licence


def test_a_copyright_link_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text(STATUS)
    (root / "usr/share/doc").mkdir(parents=True)
    (tmp_path / "host").mkdir()
    (tmp_path / "host/copyright").write_text("Format: x\nLicense: SECRET\n")
    (root / "usr/share/doc/jq").symlink_to(tmp_path / "host")
    assert debian_packages(root)[0]["licence"] == UNKNOWN


def test_a_kernel_that_was_only_unpacked_is_listed_too(tmp_path: Path) -> None:
    doc = tmp_path / "usr/share/doc/linux-image-6.1.0-1-cloud-amd64"
    doc.mkdir(parents=True)
    with gzip.open(doc / "changelog.gz", "wt") as file:
        file.write("linux-signed-amd64 (6.1.158+1) bookworm; urgency=medium\n")
    (row,) = extracted_packages(tmp_path)
    assert (row["name"], row["version"]) == (doc.name, "6.1.158+1")


def test_wheels_are_listed_with_their_licences(tmp_path: Path) -> None:
    for name, licence in (
        ("New_Style", "License-Expression: MIT OR Apache-2.0"),
        ("old", "Classifier: License :: OSI Approved :: BSD License"),
        ("none", "Summary: x"),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n{licence}\n\nLicense: no\n")
    found = {row["name"]: row["licence"] for row in wheels(tmp_path)}
    assert found == {"new-style": "MIT OR Apache-2.0", "old": "BSD License", "none": UNKNOWN}
