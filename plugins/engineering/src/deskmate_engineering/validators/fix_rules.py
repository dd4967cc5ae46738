"""ENG-PATCH-APPLIES, ENG-TESTS-KEPT, ENG-TESTS-PASS: a patch is judged by applying it to the original and running its tests."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_engineering.fixes import NAMED, WHOLE, Fix, change_of, failures, fix_of_patch, head_of
from deskmate_engineering.repository import Repository
from deskmate_engineering.testing import RUN_LIMIT_S
from deskmate_engineering.tools.fix import both_runs
from deskmate_engineering.validators.originals import Missing, Problem, judged, original_repository
from deskmate_engineering.weakening import weaker_tests

APPLIES, KEPT, PASS = "ENG-PATCH-APPLIES", "ENG-TESTS-KEPT", "ENG-TESTS-PASS"
LIMIT_BYTES = 4 * 1024 * 1024


def patch_applies(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Apply the patch to its base commit in the original repository; it changes the files that it names, and no other.

    Source: git-apply(1); house (SOURCES.md).
    """
    fix = "Propose it again with fix_propose."
    return judged(APPLIES, fix, deliverable, context, _applies)


def keeps_tests(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compare the tests before and after: none is deleted, moved, skipped or changed, nor how they are set up.

    Source: house (SOURCES.md).
    """
    fix = "Mend what is tested; leave the tests as they are."
    return judged(KEPT, fix, deliverable, context, _kept)


def proves_tests(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Run the tests of the original and of the patched tree: the named ones failed and pass, and no other got worse.

    Source: house (SOURCES.md).
    """
    return judged(PASS, "Mend it until the tests pass.", deliverable, context, _pass)


def _read(deliverable: Deliverable, context: ValidationContext) -> tuple[Repository, Fix, str]:
    repository = original_repository(deliverable, context)
    base = str(deliverable.data["base"])
    try:
        repository.commit(base)
    except ToolInputError as problem:
        raise Missing(f"the commit {base} is not in the original repository.") from problem
    if context.file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError("the patch is larger than 4 MiB.")
    text = context.file.read_bytes().decode("utf-8", "replace")
    return repository, fix_of_patch(repository, base, text), text


def _applies(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    repository, fix, text = _read(deliverable, context)
    head = head_of(text)
    for label, wanted in (
        ("Base", [str(deliverable.data["base"])]),
        ("File", sorted(map(str, deliverable.data["files"]))),
        ("Fixed", list(map(str, deliverable.data["tests"]))),
    ):
        if head.get(label, []) != wanted:
            yield (
                f"Its head says {label}: {', '.join(head.get(label, [])) or 'nothing'}; it was presented with {', '.join(wanted)}.",
                "head",
            )
    if list(fix.paths) != head.get("File", []):
        yield (
            f"It changes {', '.join(fix.paths)}; its head names {', '.join(head.get('File', [])) or 'none'}.",
            "head",
        )
    for path in fix.paths:
        modes = [
            repository.git("ls-tree", tree, path).split(" ")[0] for tree in (fix.base, fix.tree)
        ]
        if any(mode not in ("", "100644", "100755") for mode in modes):
            yield f"{path} becomes, or was, a link or a submodule.", path
        elif "" not in modes and modes[0] != modes[1]:
            yield f"The rights of {path} change.", path


def _kept(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    repository, fix, _ = _read(deliverable, context)
    change = change_of(repository, fix)
    yield from weaker_tests(change)
    for path, why in change.unread.items():
        yield f"{path} cannot be compared ({why}).", path


def _pass(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    repository, fix, text = _read(deliverable, context)
    tests = [str(one) for one in deliverable.data["tests"]]
    scope = str(deliverable.data["scope"])
    if not tests or scope not in (WHOLE, NAMED):
        yield "It names no test that it fixes, or not which tests were run.", ""
        return
    limit = context.config.get("test_limit_s", RUN_LIMIT_S)
    limit = limit if isinstance(limit, int) and 1 <= limit <= RUN_LIMIT_S else RUN_LIMIT_S
    scope, before, after = both_runs(repository, fix.base, fix.tree, tests, limit, scope)
    for message in failures(before, after, tests):
        yield message, ""
    told = f"{before.told()} before, {after.told()} after; {scope}"
    if head_of(text).get("Tests", []) != [told]:
        yield f"Its head does not say: Tests: {told}", "head"
