"""An invented NDA, a workspace that holds it, and third-party cases."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import docx
import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ValidationContext
from deskmate_legal.contract import Contract, read_contract

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_contract", CHECKOUT / "examples/make_contract.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    workspace = tmp_path / "workspace"
    (workspace / "contracts").mkdir(parents=True)
    return ToolContext(workspace=workspace, home=tmp_path / "home", resources=tmp_path)


@pytest.fixture
def nda(context: ToolContext, example: ModuleType) -> str:
    """Workspace path of the invented NDA, with its playbook beside it."""
    example.main(context.workspace / "contracts")
    return f"contracts/{example.CONTRACT}"


@pytest.fixture
def contract_of(tmp_path: Path) -> Callable[..., Contract]:
    """Make a contract of paragraphs: a DOCX, or a text if asked."""

    def make(*paragraphs: str, text: bool = False) -> Contract:
        if text:
            path = tmp_path / "contract.txt"
            path.write_text("\n\n".join(paragraphs), "utf-8")
        else:
            path = tmp_path / "contract.docx"
            document = docx.Document()
            for paragraph in paragraphs:
                document.add_paragraph(paragraph)
            document.save(str(path))
        return read_contract(path)

    return make


@pytest.fixture
def clean_room(context: ToolContext) -> Callable[..., ValidationContext]:
    """Make the context in which a validator sees a deliverable; `sources` are what the host held."""

    def make(
        deliverable: Deliverable, *sources: str, file: Path | None = None
    ) -> ValidationContext:
        return ValidationContext(
            file=file or context.file(deliverable.path),
            sources=Sources({path: context.file(path) for path in sources}, {}),
        )

    return make


@pytest.fixture(scope="session")
def cases() -> Path:
    folder = CHECKOUT.parent / "shared/cases/legal"
    if not folder.is_dir():
        pytest.skip("the third-party cases are not beside the checkout")
    return folder
