"""The check of the whole plugin, as `deskmate plugin check` does it."""

from __future__ import annotations

from deskmate.testing.pytest_plugin import plugin_report as plugin_report
