"""LibreOffice itself: starting it, and talking to it over UNO. It runs beside us; nothing of it is ours."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = Path("/usr/bin/soffice")
_PIPE = "deskmate"
TARGETS = frozenset({"pdf", "docx", "xlsx", "pptx"})

_KINDS = (
    ("com.sun.star.sheet.SpreadsheetDocument", "calc"),
    ("com.sun.star.text.WebDocument", "web"),
    ("com.sun.star.text.TextDocument", "writer"),
    ("com.sun.star.presentation.PresentationDocument", "impress"),
    ("com.sun.star.drawing.DrawingDocument", "draw"),
)
_FILTERS = {
    ("writer", "pdf"): "writer_pdf_Export",
    ("web", "pdf"): "writer_web_pdf_Export",
    ("calc", "pdf"): "calc_pdf_Export",
    ("impress", "pdf"): "impress_pdf_Export",
    ("draw", "pdf"): "draw_pdf_Export",
    ("writer", "docx"): "MS Word 2007 XML",
    ("calc", "xlsx"): "Calc MS Excel 2007 XML",
    ("impress", "pptx"): "Impress MS PowerPoint 2007 XML",
}
_SAMPLES = {"swriter": "docx", "scalc": "xlsx", "simpress": "pptx"}
_NEVER_RUN_MACROS = 0
_NEVER_UPDATE_LINKS = 0
# Spreadsheets are always calculated anew when they are loaded; macros are off; nothing is fetched.
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode"><value>0</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="ODFRecalcMode"><value>0</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Content/Update"><prop oor:name="Link"><value>2</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="UseLocking"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Setup/Office"><prop oor:name="ooSetupInstCompleted"><value>true</value></prop></item>
</oor:items>
"""


def start_listener(profile: Path) -> subprocess.Popen[bytes]:
    """Start LibreOffice with a settings folder of its own, waiting for connections of this user."""
    _write_settings(profile)
    return subprocess.Popen(
        [*_command(profile), f"--accept=pipe,name={_PIPE};urp;"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env=_environment(profile),
    )


def convert_afresh(
    source: Path, target: Path, to: str, profile: Path, goes_on: Callable[[], bool]
) -> None:
    """Convert by a LibreOffice that ends afterwards. `goes_on`: asked all the time; false ends it.

    Raises:
        TimeoutError: it was ended.
        OSError: it made nothing.
    """
    _write_settings(profile)
    out = target.parent / "fresh"
    out.mkdir()
    process = subprocess.Popen(
        [*_command(profile), "--convert-to", to, "--outdir", str(out), str(source)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env=_environment(profile),
    )
    try:
        while process.poll() is None:
            if not goes_on():
                raise TimeoutError
            time.sleep(0.02)
    finally:
        end(process)
    next(iter(out.glob(f"*.{to}")), out / "nothing").rename(target)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started in its session."""
    for signal_ in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_)
            process.wait(3)
        except (OSError, subprocess.TimeoutExpired):
            continue


def _command(profile: Path) -> list[str]:
    plain = ["--headless", "--invisible", "--nologo", "--nodefault", "--norestore", "--nolockcheck"]
    return [str(PROGRAM), *plain, f"-env:UserInstallation={profile.as_uri()}"]


def _environment(profile: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(profile.parent),
        "TMPDIR": str(profile.parent),
        "LANG": "C.UTF-8",
        "SAL_USE_VCLPLUGIN": "svp",
        "SAL_DISABLE_OPENCL": "1",
    }


def _write_settings(profile: Path) -> None:
    (profile / "user").mkdir(parents=True, exist_ok=True)
    (profile / "user/registrymodifications.xcu").write_text(_SETTINGS, "utf-8")


def connect() -> Any:
    """Return the desktop of the listener. Raises UNO's exception if it does not answer."""
    uno: Any = importlib.import_module("uno")
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.UnoUrlResolver", local
    )
    remote = resolver.resolve(f"uno:pipe,name={_PIPE};urp;StarOffice.ComponentContext")
    return remote.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", remote)


def convert(source: Path, target: Path, to: str) -> None:
    """Convert one document by the listener. Raises UNO's exceptions, and ValueError for what does not fit."""
    document = connect().loadComponentFromURL(
        source.as_uri(),
        "_blank",
        0,
        _properties(
            Hidden=True,
            ReadOnly=True,
            MacroExecutionMode=_NEVER_RUN_MACROS,
            UpdateDocMode=_NEVER_UPDATE_LINKS,
        ),
    )
    if document is None:
        raise ValueError(
            "LibreOffice cannot open the document: it is damaged, or locked by a password"
        )
    try:
        kind = next((kind for name, kind in _KINDS if document.supportsService(name)), "")
        if (kind, to) not in _FILTERS:
            raise ValueError(f"a document of this kind ({kind or 'unknown'}) does not become {to}")
        if kind == "calc":
            document.calculateAll()
        document.storeToURL(target.as_uri(), _properties(FilterName=_FILTERS[kind, to]))
    finally:
        document.close(True)


def make_samples(folder: Path) -> None:
    """Write one small document of each kind, which loads most of LibreOffice's libraries."""
    desktop = connect()
    for factory, suffix in _SAMPLES.items():
        document = desktop.loadComponentFromURL(
            f"private:factory/{factory}", "_blank", 0, _properties(Hidden=True)
        )
        if factory == "swriter":
            document.Text.setString("Deskmate gets ready: fonts, layout, export.")
        elif factory == "scalc":
            document.Sheets.getByIndex(0).getCellByPosition(0, 0).setFormula("=SUM(1;2)")
        kind = factory[1:]
        path = folder / f"sample.{suffix}"
        document.storeToURL(path.as_uri(), _properties(FilterName=_FILTERS[kind, suffix]))
        document.close(True)


def _properties(**values: Any) -> tuple[Any, ...]:
    struct: Any = importlib.import_module("uno").getClass("com.sun.star.beans.PropertyValue")
    made = []
    for name, value in values.items():
        item = struct()
        item.Name, item.Value = name, value
        made.append(item)
    return tuple(made)


def installed() -> bool:
    """Say whether this guest has LibreOffice."""
    return os.access(PROGRAM, os.X_OK)
