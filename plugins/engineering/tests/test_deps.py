"""Lock files of many kinds, licences as packages say them, the policy, and a bill that keeps its schema."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_engineering.deps.advisories import look_up
from deskmate_engineering.deps.bill import schema_problems
from deskmate_engineering.deps.licences import Installed, Licence, parse
from deskmate_engineering.deps.locks import Package, read_lock
from deskmate_engineering.deps.policy import Policy, policy_of
from deskmate_engineering.tools.deps import deps_audit
from deskmate_engineering.validators.deps_rules import licences_told, sbom_valid

HASH = "a" * 64
LOCKS: dict[str, tuple[str, list[str]]] = {
    "requirements.txt": (
        f"# pinned\nFlask_Cors[x]==4.0.1 ; python_version > '3' \\\n    --hash=sha256:{HASH}\nrequests>=2\n-r other.txt\n"
        "own @ file:///src/own\ngit+https://host/x.git#egg=egged\n--extra-option x\nstar==1.*\n",
        ["pkg:pypi/egged", "pkg:pypi/flask-cors@4.0.1", "pkg:pypi/own", "pkg:pypi/requests", "pkg:pypi/star"],
    ),
    "pyproject.toml": (
        '[project]\nname="x"\ndependencies=["click>=8", "attrs==23.1.0"]\n[project.optional-dependencies]\ndev=["pytest"]\n[dependency-groups]\nlint=["ruff", {include-group="x"}]\n',
        ["pkg:pypi/attrs@23.1.0", "pkg:pypi/click", "pkg:pypi/pytest", "pkg:pypi/ruff"],
    ),
    "uv.lock": (
        f'[[package]]\nname="self"\nversion="1"\nsource={{editable="."}}\n[[package]]\nname="idna"\nversion="3.7"\nsource={{registry="r"}}\nsdist={{hash="sha256:{HASH}"}}\n',
        ["pkg:pypi/idna@3.7"],
    ),
    "poetry.lock": ('[[package]]\nname="Idna"\nversion="3.7"\nfiles=[]\ngroups=["dev"]\n', ["pkg:pypi/idna@3.7"]),
    "pylock.toml": ('[[packages]]\nname="a"\nversion="1"\n', ["pkg:pypi/a@1"]),
    "Pipfile.lock": ('{"default": {"a": {"version": "==1"}}, "develop": {"b": {"version": "==2"}}}', ["pkg:pypi/a@1", "pkg:pypi/b@2"]),
    "package-lock.json": (
        json.dumps({"lockfileVersion": 3, "packages": {"": {"name": "x"}, "node_modules/@a/b": {"version": "1.0.0", "license": "MIT", "integrity": "sha512-" + "A" * 86 + "=="},
                    "node_modules/@a/b/node_modules/c": {"version": "2.0.0", "dev": True}, "node_modules/own": {"link": True, "resolved": "own"}}}),
        ["pkg:npm/%40a/b@1.0.0", "pkg:npm/c@2.0.0"],
    ),
    "npm-shrinkwrap.json": ('{"dependencies": {"a": {"version": "1", "dependencies": {"b": {"version": "2"}}}}}', ["pkg:npm/a@1", "pkg:npm/b@2"]),
    "yarn.lock": ('# yarn lockfile v1\n\n"@a/b@^1.0.0", "@a/b@^1.1.0":\n  version "1.1.0"\n  resolved "x"\n\nc@2:\n  version "2.0.0"\n', ["pkg:npm/%40a/b@1.1.0", "pkg:npm/c@2.0.0"]),
    "pnpm-lock.yaml": ("lockfileVersion: '9.0'\npackages:\n  '@a/b@1.0.0':\n    resolution: {integrity: ''}\n  /c@2.0.0(peer@1):\n    dev: true\n", ["pkg:npm/%40a/b@1.0.0", "pkg:npm/c@2.0.0"]),
    "Cargo.lock": (f'[[package]]\nname="own"\nversion="0.1.0"\n[[package]]\nname="serde"\nversion="1.0.0+b"\nsource="registry"\nchecksum="{HASH}"\n', ["pkg:cargo/serde@1.0.0%2Bb"]),
    "go.mod": ("module m\n\ngo 1.22\n\nrequire a.b/c v1.2.3\nrequire (\n\td.e/f v0.1.0 // indirect\n)\nreplace x => y\n", ["pkg:golang/a.b/c@v1.2.3", "pkg:golang/d.e/f@v0.1.0"]),
    "go.sum": ("a.b/c v1.2.3 h1:x=\na.b/c v1.2.3/go.mod h1:y=\nz v1.0.0/go.mod h1:z=\n", ["pkg:golang/a.b/c@v1.2.3"]),
    "Gemfile.lock": ("GEM\n  remote: x\n  specs:\n    rails (7.0.1)\n      rack (>= 2)\n\nDEPENDENCIES\n  rails\n", ["pkg:gem/rails@7.0.1"]),
    "composer.lock": ('{"packages": [{"name": "a/b", "version": "1.0", "license": ["MIT", "GPL-2.0-only"]}], "packages-dev": []}', ["pkg:composer/a/b@1.0"]),
}  # fmt: skip


@pytest.mark.parametrize("name", LOCKS)
def test_each_kind_of_lock_file_gives_its_packages(name: str) -> None:
    text, purls = LOCKS[name]
    assert [one.purl for one in read_lock(text.encode(), f"app/{name}")] == purls


@pytest.mark.parametrize(
    ("name", "text"),
    [("package-lock.json", "{"), ("package-lock.json", "[]"), ("package-lock.json", "{}"), ("Cargo.lock", "[[package]]\nsource='x'"),
     ("uv.lock", "x = ["), ("go.sum", "a b"), ("requirements.txt", "=== nothing"), ("composer.lock", '{"packages": [1]}'),
     ("pnpm-lock.yaml", "- a"), ("Pipfile.lock", '{"default": []}'), ("poetry.lock", "\ufffe"), ("notes.txt", "")],
)  # fmt: skip
def test_a_damaged_lock_file_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(ToolInputError, match=name) as refused:
        read_lock(text.encode("utf-8", "replace"), name)
    assert "\n" not in refused.value.message


def test_hashes_and_scopes_are_those_of_the_file() -> None:
    first, second = read_lock(LOCKS["package-lock.json"][0].encode(), "package-lock.json")
    assert first.hashes[0][0] == "SHA-512"
    assert (first.only_dev, second.only_dev, first.licence) == (False, True, "MIT")
    assert read_lock(LOCKS["requirements.txt"][0].encode(), "requirements.txt")[1].hashes == (
        ("SHA-256", HASH),
    )
    odd = json.dumps(
        {"packages": {"node_modules/a": {"version": "1", "integrity": "sha512-AAAA md5-AAAA"}}}
    )
    assert read_lock(odd.encode(), "package-lock.json")[0].hashes == ()
    two = f"a==1 --hash=sha256:{HASH} --hash=sha256:{'b' * 64}"
    assert read_lock(two.encode(), "requirements.txt")[0].hashes == ()


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "mit",
        "Apache-2.0 OR MIT",
        "(MIT AND (BSD-3-Clause OR ISC))",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "GPL-2.0+",
        "LicenseRef-own",
    ],
)
def test_expressions_are_known(text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BSD",
        "MIT OR",
        "(MIT",
        "MIT)",
        "MIT ISC",
        "Apache License 2.0",
        "MIT WITH nothing",
        "AND",
        "(" * 150,
    ],
)
def test_what_is_no_expression_is_none(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("MIT", "allowed"), ("AGPL-3.0-only", "denied"), ("AGPL-3.0-or-later OR MIT", "allowed"), ("MIT AND SSPL-1.0", "denied"),
     ("LGPL-3.0-only", "look"), ("GPL-3.0-only WITH GCC-exception-3.1", "look"), ("BSD", "look"), ("", "look"), ("AGPL", "look")],
)  # fmt: skip
def test_of_a_choice_the_best_counts_and_of_a_sum_the_worst(said: str, verdict: str) -> None:
    assert Policy().of_licence(Licence(said=said)) == verdict


@pytest.mark.parametrize(
    "policy",
    [{"deny": []}, {"denied": "AGPL-3.0"}, {"waivers": [{"package": "x", "why": "because so"}]}, [],
     {"waivers": [{"package": "x", "until": "soon", "why": "because so"}]}, {"waivers": [{"package": "x", "until": "2026-01-01", "why": ""}]}],
)  # fmt: skip
def test_a_policy_of_another_shape_is_refused(policy: Any) -> None:
    if policy == []:
        assert policy_of({"licence_policy": policy}) == Policy()
        return
    with pytest.raises(ToolInputError, match=r"licence_policy|waiver"):
        policy_of({"licence_policy": policy})


METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}\n\nLicense: AGPL-3.0 in the text, which is no field\n"


def test_licences_come_from_metadata_and_are_never_guessed() -> None:
    files = {
        "app/.venv/lib/python3/site-packages/Flask_Cors-4.0.1.dist-info/METADATA": METADATA.format(name="Flask-Cors", version="4.0.1", more="Classifier: License :: OSI Approved :: MIT License"),
        "v/old-1.0.dist-info/METADATA": METADATA.format(name="old", version="1.0", more="License-Expression: ISC\nClassifier: License :: OSI Approved :: MIT License"),
        "v/bsd-1.0.dist-info/METADATA": METADATA.format(name="bsd", version="1.0", more="Classifier: License :: OSI Approved :: BSD License"),
        "v/two-1.0.dist-info/METADATA": METADATA.format(name="two", version="1.0", more="Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: ISC License (ISCL)"),
        "v/un-1.0.dist-info/METADATA": METADATA.format(name="un", version="1.0", more="License: UNKNOWN"),
        "app/node_modules/@a/b/package.json": '{"version": "1.0.0", "license": {"type": "Apache-2.0"}}',
        "app/node_modules/@a/b/lib/package.json": '{"version": "1.0.0", "license": "AGPL-3.0-only"}',
        "app/node_modules/see/package.json": '{"version": "1", "license": "SEE LICENSE IN x"}',
        "app/node_modules/broken/package.json": "{",
        "vendor/serde-1.0.0/Cargo.toml": '[package]\nname="serde"\nversion="1.0.0"\nlicense="MIT/Apache-2.0"',
    }  # fmt: skip
    installed = Installed(files, lambda name: files[name].encode())

    def said(kind: str, name: str, version: str, licence: str = "") -> str:
        return installed.licence_of(
            Package(kind=kind, name=name, version=version, file="lock", licence=licence)
        ).said

    assert said("pypi", "flask-cors", "4.0.1") == "MIT"
    assert said("pypi", "flask-cors", "4.0.2") == ""  # another version is installed
    assert (said("pypi", "old", "1.0"), said("pypi", "bsd", "1.0")) == ("ISC", "BSD License")
    assert (said("pypi", "two", "1.0"), said("pypi", "un", "1.0"), said("pypi", "none", "1")) == (
        "",
        "",
        "",
    )
    assert (
        said("npm", "@a/b", "1.0.0"),
        said("npm", "see", "1"),
        said("npm", "broken", "1", "MIT"),
    ) == ("Apache-2.0", "", "MIT")
    assert (said("cargo", "serde", "1.0.0"), said("golang", "a.b/c", "v1")) == (
        "MIT OR Apache-2.0",
        "",
    )


@pytest.fixture
def project(tmp_path: Path) -> ToolContext:
    files = {
        "app/requirements.txt": "flask==3.0.0\nghost==1.0\nclick>=8\n",
        "app/web/package-lock.json": LOCKS["package-lock.json"][0],
        "app/web/node_modules/c/package.json": '{"version": "2.0.0", "license": "AGPL-3.0-only"}',
        "app/web/node_modules/c/package-lock.json": "broken, and not the project's",
        "app/lib/flask-3.0.0.dist-info/METADATA": METADATA.format(name="flask", version="3.0.0", more="License-Expression: BSD-3-Clause"),
        "app/pyproject.toml": '[project]\nname="x"\ndependencies=["flask"]\n',
        "app/uv.lock": '[[package]]\nname="flask"\nversion="3.0.0"\n',
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def judge(
    rule: Any,
    item: Deliverable,
    context: ToolContext,
    *,
    today: str = "2026-03-01",
    without: str = "",
    **changes: Any,
) -> list[str]:
    originals = {
        name: one
        for one in context.workspace.rglob("*")
        if one.is_file() and "dependency audit" not in (name := one.relative_to(context.workspace).as_posix()) and name != without
    }  # fmt: skip
    room = ValidationContext(
        file=context.workspace / item.path,
        sources=Sources(originals, {}),
        facts={"date": today},
        config=context.config,
    )
    return [finding.message for finding in rule(replace(item, **changes), room)]


def test_an_audit_names_what_is_denied_and_its_bill_is_valid_and_true(project: ToolContext) -> None:
    answer = deps_audit(project, "app")
    assert answer.result["denied_packages"] == [
        {
            "package": "c",
            "version": "2.0.0",
            "licence": "AGPL-3.0-only",
            "where": "app/web/node_modules/c/package.json",
        }
    ]
    assert answer.result["passes"] is False
    report, bill = answer.deliverables
    assert (report.path, bill.path) == ("app/dependency audit.md", "app/dependency audit.cdx.json")
    text = (project.workspace / report.path).read_text()
    assert (
        "FAILS. Packages: 5; denied: 1, waived: 0, to look at: 2 (of unknown licence: 2), allowed: 2."
        in text
    )
    assert "| pypi ghost | 1.0 | unknown | nobody | app/requirements.txt |" in text
    assert "pyproject" not in text  # the lock file beside it says more
    made = json.loads((project.workspace / bill.path).read_text())
    assert list(schema_problems(made)) == []
    by_name = {one["name"]: one for one in made["components"]}
    assert by_name["b"]["group"] == "@a"
    assert by_name["c"]["scope"] == "excluded"
    assert by_name["flask"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert "licenses" not in by_name["ghost"]
    assert "version" not in by_name["click"]
    assert judge(sbom_valid, bill, project) == []
    assert judge(licences_told, report, project) == []


def test_a_waiver_counts_until_its_day_and_the_gate_knows_the_day(project: ToolContext) -> None:
    waivers = [
        {"package": "c", "until": "2999-12-31", "why": "only used at build time"},
        {"package": "old", "until": "2020-01-01", "why": "was needed then"},
    ]
    context = replace(project, config={"licence_policy": {"waivers": waivers}})
    answer = deps_audit(context, "app")
    assert (answer.result["passes"], answer.result["waived"]) == (True, 1)
    assert any("ended on 2020-01-01" in one for one in answer.result["doubts"])
    report = answer.deliverables[0]
    assert judge(licences_told, report, context) == []
    assert any("FAILS" in one for one in judge(licences_told, report, context, today="3000-01-01"))


@pytest.mark.parametrize(
    ("find", "put", "says"),
    [("AGPL-3.0-only", "MIT", "licenses is"), ('"version": "2.0.0",\n   ', "", "version is null"), ("urn:uuid", "urn:uuid:", "not valid CycloneDX"),
     ('"name": "ghost"', '"name": "guest"', "name is"), ('"bom-ref": "pkg:pypi/ghost@1.0"', '"bom-ref": "pkg:pypi/flask@3.0.0"', "twice"),
     ('"specVersion": "1.6"', '"specVersion": "1.4"', "specVersion"), ('"aggregate": "unknown"', '"aggregate": "complete"', "compositions")],
)  # fmt: skip
def test_a_bill_with_a_seeded_lie_is_refused(
    project: ToolContext, find: str, put: str, says: str
) -> None:
    bill = deps_audit(project, "app").deliverables[1]
    file = project.workspace / bill.path
    text = file.read_text()
    assert find in text
    file.write_text(text.replace(find, put, 1))
    assert any(says in one for one in judge(sbom_valid, bill, project)), judge(
        sbom_valid, bill, project
    )


def test_reports_that_leave_out_or_cannot_be_checked_are_refused(project: ToolContext) -> None:
    report, bill = deps_audit(project, "app").deliverables
    file = project.workspace / report.path
    file.write_text("\n".join(row for row in file.read_text().split("\n") if "AGPL" not in row))
    assert any("leaves out" in one for one in judge(licences_told, report, project))
    assert judge(sbom_valid, bill, project, without="app/uv.lock")[0].startswith("UNVERIFIED")
    (few,) = judge(sbom_valid, bill, project, sources={"lock 1": "app/uv.lock"})
    assert "it names others" in few
    (project.workspace / bill.path).write_text("no json")
    assert "not whole" in judge(sbom_valid, bill, project)[0]
    assert "not whole" in judge(licences_told, report, project, data={})[0]


def test_where_nothing_is_to_be_audited_it_says_so(tmp_path: Path) -> None:
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    with pytest.raises(ToolInputError, match="no lock file"):
        deps_audit(context)
    with pytest.raises(ToolInputError, match="not a folder"):
        deps_audit(context, "nowhere")
    (tmp_path / "go.mod").write_text("module m\n")
    with pytest.raises(ToolInputError, match=r"must end in \.md"):
        deps_audit(context, output="x.txt")
    assert deps_audit(context).result["summary"].startswith("PASSES. Packages: 0")


def advisory(ecosystem: str, name: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return an invented advisory in the OSV form. `more`: further keys, of the record or (`versions`, `known`) of its block."""
    block: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": name}}
    if events:
        block["ranges"] = [{"type": more.pop("kind", "ECOSYSTEM"), "events": list(events)}]
    if "versions" in more:
        block["versions"] = more.pop("versions")
    if "known" in more:
        block["database_specific"] = {"last_known_affected_version_range": more.pop("known")}
    return {"id": "X-1", "modified": "2026-02-03T04:05:06Z", "affected": [block], **more}


ALL = {"introduced": "0"}


@pytest.mark.parametrize(
    ("kind", "version", "record", "state"),
    [
        ("pypi", "1.9", advisory("PyPI", "A_b", ALL, {"fixed": "1.10"}), "affected"),
        ("pypi", "1.10", advisory("PyPI", "a.b", ALL, {"fixed": "1.10"}), None),
        ("pypi", "1.10rc1", advisory("PyPI", "a-b", ALL, {"fixed": "1.10"}), "affected"),
        ("pypi", "2.0+cu1", advisory("PyPI", "a-b", {"introduced": "1"}, {"last_affected": "2.0"}), "affected"),
        ("pypi", "3.1", advisory("PyPI", "a-b", {"introduced": "3"}, {"fixed": "3.2"}, ALL, {"fixed": "2"}), "affected"),
        ("pypi", "2.5", advisory("PyPI", "a-b", {"introduced": "3"}, {"fixed": "3.2"}, ALL, {"fixed": "2"}), None),
        ("pypi", "1.0", advisory("PyPI", "a-b", versions=["1.0.0"]), "affected"),
        ("pypi", "1.1", advisory("PyPI", "a-b", versions=["1.0"]), None),
        ("pypi", "1.0", advisory("PyPI", "a-b", ALL, {"fixed": "f00"}, kind="GIT"), "unclear"),
        ("pypi", "", advisory("PyPI", "a-b", ALL, {"fixed": "9"}), "unclear"),
        ("pypi", "of today", advisory("PyPI", "a-b", ALL), "unclear"),
        ("pypi", "1.0", advisory("PyPI", "a-b", ALL, withdrawn="2026-01-01T00:00:00Z"), None),
        ("pypi", "1.0", advisory("npm", "a-b", ALL), None),
        ("pypi", "1.0", advisory("PyPI", "a-c", ALL), None),
        ("npm", "1.0.0-rc.9", advisory("npm", "a-b", {"introduced": "1.0.0-rc.10"}, {"fixed": "1.0.1"}), None),
        ("npm", "1.0.0-rc.11", advisory("npm", "a-b", {"introduced": "1.0.0-rc.10"}, {"fixed": "1.0.1"}), "affected"),
        ("npm", "5.0.0", advisory("npm", "a-b", ALL, known="<= 4.17.0"), None),
        ("npm", "4.17.0", advisory("npm", "a-b", ALL, known="<= 4.17.0"), "affected"),
        ("npm", "4.17.0", advisory("npm", "a-b", ALL, known="< 4.17.0"), None),
        ("cargo", "0.3.0+b", advisory("crates.io", "a-b", {"introduced": "0.2.0"}, kind="SEMVER"), "affected"),
        ("golang", "v1.2.3", advisory("Go", "a-b", ALL, {"fixed": "1.2.4"}, kind="SEMVER"), "affected"),
        ("golang", "v0.0.0-20200101000000-abcdef012345", advisory("Go", "a-b", ALL, {"fixed": "0.0.0-20210101000000-000000000000"}), "affected"),
        ("gem", "2.2", advisory("RubyGems", "a-b", {"introduced": "2.0.0"}, {"fixed": "2.2.0"}), None),
        ("gem", "2.1.9.3", advisory("RubyGems", "a-b", {"introduced": "2.0.0"}, {"fixed": "2.2.0"}), "affected"),
        ("gem", "2.0.0.rc1", advisory("RubyGems", "a-b", {"introduced": "2.0.0"}, {"fixed": "2.2.0"}), "unclear"),
        ("composer", "v1.4", advisory("Packagist:x", "A-B", ALL, {"fixed": "1.5"}), "affected"),
    ],
)  # fmt: skip
def test_an_advisory_is_about_a_version_or_not_or_it_cannot_be_told(
    kind: str, version: str, record: dict[str, Any], state: str | None
) -> None:
    package = Package(kind=kind, name="a-b", version=version, file="lock")
    hits = look_up(json.dumps(record).encode(), "all.json", [package]).hits
    assert [one.state for one in hits] == ([state] if state else [])


def zipped(*records: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as bundle:
        for number, record in enumerate(records):
            bundle.writestr(f"X-{number}.json", record)
        bundle.writestr("README.txt", "no record")
    return held.getvalue()


def test_a_file_of_advisories_has_many_forms() -> None:
    package = Package(kind="pypi", name="a", version="1", file="lock")
    first = advisory("PyPI", "a", ALL, {"fixed": "2"}, aliases=["CVE-1"], database_specific={"severity": "HIGH"})  # fmt: skip
    other = advisory("PyPI", "b", ALL) | {"id": "X-2", "modified": "2026-09-01T00:00:00Z"}
    texts = [json.dumps(one) for one in (first, other)]
    forms = {
        "list.json": json.dumps([first, other]).encode(),
        "query.json": json.dumps({"vulns": [first, other]}).encode(),
        "lines.jsonl": "\n".join(texts).encode(),
        "all.zip": zipped(*(text.encode() for text in texts)),
    }
    for name, data in forms.items():
        found = look_up(data, name, [package])
        assert (found.records, found.newest) == (2, "2026-09-01")
        (hit,) = found.hits
        assert (hit.advisory, hit.aliases, hit.severity, hit.fixed) == ("X-1", ("CVE-1",), "high", ("2",))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.json", b"{"), ("a.json", b"[]"), ("a.json", b"[1]"), ("a.json", b'{"id": "x"}'), ("a.json", b"\xff"), ("a.json", b"[" * 100_000),
     ("a.json", b'{"id": "x", "modified": "soon"}'), ("a.json", b'{"id": "x", "modified": "2026-01-01", "affected": [1]}'),
     ("a.json", b'{"id": "x", "modified": "2026-01-01", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "ranges": [{"events": 1}]}]}'),
     ("a.zip", b"PK"), ("a.zip", zipped()), ("a.zip", zipped(b"{")), ("a.zip", zipped(b'{"id": "x", "modified": "2026-01-01"}' * 9)[:-60])],
)  # fmt: skip
def test_what_is_no_file_of_advisories_is_refused_by_its_name(name: str, data: bytes) -> None:
    package = Package(kind="pypi", name="a", version="1", file="lock")
    with pytest.raises(ToolInputError, match=rf"^{name}") as refused:
        look_up(data, name, [package])
    assert "\n" not in refused.value.message


def test_known_vulnerabilities_are_told_and_the_gates_look_them_up_again(
    project: ToolContext,
) -> None:
    records = [
        advisory("PyPI", "Flask", ALL, {"fixed": "3.0.1"}, summary="Sessions | leak"),
        advisory("PyPI", "click", ALL, {"fixed": "8.2"}) | {"id": "X-2"},
        advisory("PyPI", "ghost", ALL, {"fixed": "0.9"}) | {"id": "X-3"},
    ]
    (project.workspace / "osv.json").write_text(json.dumps(records))
    answer = deps_audit(project, "app", advisories="osv.json")
    assert answer.result["vulnerable_packages"] == [
        {"package": "flask", "version": "3.0.0", "advisory": "X-1", "severity": "", "mended_in": ["3.0.1"]}
    ]  # fmt: skip
    assert "Known vulnerabilities: 1, packages with any: 1, unclear: 1." in answer.result["summary"]
    assert any("advisories: 3, the newest of 2026-02-03" in one for one in answer.result["doubts"])
    report, bill = answer.deliverables
    text = (project.workspace / report.path).read_text()
    assert "| pypi flask | 3.0.0 | X-1 | not stated | 3.0.1 | Sessions \\| leak |  |" in text
    assert "unclear: no version is pinned" in text
    made = json.loads((project.workspace / bill.path).read_text())
    assert list(schema_problems(made)) == []
    assert [one["id"] for one in made["vulnerabilities"]] == ["X-2", "X-1"]
    assert (judge(licences_told, report, project), judge(sbom_valid, bill, project)) == ([], [])
    file = project.workspace / report.path
    file.write_text("\n".join(row for row in text.split("\n") if "X-1" not in row))
    assert any("leaves out" in one for one in judge(licences_told, report, project))
    (project.workspace / bill.path).write_text(
        json.dumps(made | {"vulnerabilities": made["vulnerabilities"][:1]})
    )
    assert any("vulnerabilities is" in one for one in judge(sbom_valid, bill, project))
    assert judge(licences_told, report, project, without="osv.json")[0].startswith("UNVERIFIED")


def test_a_known_vulnerability_fails_an_audit_whose_licences_are_all_allowed(
    tmp_path: Path,
) -> None:
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    lock = '{"packages": [{"name": "a/b", "version": "1.0", "license": ["MIT"]}], "packages-dev": []}'  # fmt: skip
    (tmp_path / "composer.lock").write_text(lock)
    assert deps_audit(context).result["vulnerable"] is None
    for fixed, passes in (("1.0", True), ("1.1", False)):
        record = advisory("Packagist", "a/b", ALL, {"fixed": fixed})
        (tmp_path / "osv.json").write_text(json.dumps(record))
        answer = deps_audit(context, advisories="osv.json")
        assert (answer.result["passes"], answer.result["vulnerable"]) == (passes, int(not passes))
    with pytest.raises(ToolInputError, match="nowhere"):
        deps_audit(context, advisories="nowhere.json")


@pytest.mark.parametrize(
    ("request_", "vulnerable"),
    [
        ("Audit dependencies.", None),
        ("Audit dependencies of app/web/package-lock.json.", None),
        ("Audit dependencies with the advisories OSV.json.", 1),
        ("Audit dependencies, advisories in old/osv.json", 0),
    ],
)
def test_the_file_of_advisories_that_a_request_names_is_used(
    project: ToolContext, request_: str, vulnerable: int | None
) -> None:
    new, old = (advisory("PyPI", "flask", ALL, {"fixed": end}) for end in ("9", "1"))
    (project.workspace / "osv.json").write_text(json.dumps(new))
    if "old/" in request_:
        (project.workspace / "old").mkdir()
        (project.workspace / "old/osv.json").write_text(json.dumps(old))
    assert deps_audit(project, "app", request=request_).result["vulnerable"] == vulnerable


def test_of_several_files_none_is_guessed_and_one_that_is_not_there_is_refused(
    project: ToolContext,
) -> None:
    for folder in ("a", "b"):
        (project.workspace / folder).mkdir()
        (project.workspace / folder / "all.zip").write_bytes(b"")
    with pytest.raises(ToolInputError, match=r"a/all\.zip, b/all\.zip; name one"):
        deps_audit(project, "app", request="Audit dependencies with all.zip")
    with pytest.raises(ToolInputError, match=r"b-all\.zip is not in the workspace"):
        deps_audit(project, "app", request="Audit dependencies with b-all.zip")
