"""Every diagnostic: its stable code, how bad it is, what it means, what to do. docs/reference/diagnostics.md has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deskmate.types.foreign import Diagnostic, Severity

_SHOWN_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of diagnostic."""

    severity: Severity
    meaning: str
    cure: str


_E: Severity = "error"
_W: Severity = "warning"
_N: Severity = "note"

CODES: Mapping[str, Code] = {
    # the tree
    "file-not-regular": Code(_E, "A device, pipe or socket stands in the tree.", "Take it out."),
    "file-too-large": Code(_E, "A file is larger than 32 MiB; it is left out.", "Make it smaller."),
    "file-unreadable": Code(_E, "A file or folder cannot be read.", "Check its permissions."),
    "folder-too-deep": Code(_E, "Folders are nested deeper than 16.", "Nest less."),
    "folder-left-out": Code(_W, "A folder of installed packages is left out.", "Do not ship it."),
    "link-out": Code(_E, "A link leads out of the tree, or nowhere.", "Ship the file itself."),
    "link-loop": Code(_E, "A link leads to a folder that it lies in.", "Take it out."),
    "link-copied": Code(_N, "A link is read as a copy of what it names.", "Ship the file itself."),
    "name-collides": Code(_E, "Two names differ by case or accents only.", "Rename one of them."),
    "name-odd": Code(_E, "A file's name cannot be used everywhere.", "Letters, digits, - _ . only."),
    "member-leaves": Code(_E, "A member of the archive leaves its folder.", "Pack it anew."),
    "member-packed": Code(_E, "A member is packed or encrypted in a way that is refused.", "Zip with deflate."),
    "member-twice": Code(_E, "A name stands twice in the archive.", "Pack it anew."),
    # texts
    "text-bom": Code(_N, "The file begins with a byte order mark.", "Save it as UTF-8 without one."),
    "text-line-ends": Code(_N, "Lines end with CR.", "Save it with LF line ends."),
    "text-not-utf8": Code(_W, "The file is not UTF-8; odd bytes are replaced.", "Save it as UTF-8."),
    "text-nul": Code(_W, "The file holds NUL characters; they are replaced.", "Take them out."),
    "text-too-long": Code(_E, "The text is longer than 256 KiB.", "Move parts into files beside it."),
    # front matter
    "frontmatter-missing": Code(_W, "There is no front matter.", "Begin with name and description between two lines ---."),
    "frontmatter-open": Code(_W, "The front matter has no end.", "Close it with a line ---."),
    "frontmatter-yaml": Code(_W, "The front matter is no YAML; it is read line by line.", "Put quotes around values with a colon."),
    "frontmatter-bounds": Code(_W, "The front matter is too large, deep or repetitive; it is read line by line.", "Keep it to plain keys and values."),
    "frontmatter-shape": Code(_W, "The front matter is no list of keys.", "Write `key: value` lines."),
    "frontmatter-key-twice": Code(_W, "A key stands twice; the first counts.", "Keep one of them."),
    "field-type": Code(_W, "A field has another type than it should; it is read as that or left out.", "See its format's description."),
    "field-unknown": Code(_N, "A field that nobody documents; it is kept and has no effect.", "Put it below metadata."),
    # skills, commands, agents
    "skill-empty": Code(_E, "The skill has no text and no description.", "Write it, or take it out."),
    "skill-description-missing": Code(_W, "No description: the first paragraph stands for it.", "Say what it does and when to use it."),
    "skill-description-long": Code(_N, "The description has more than 1,024 characters.", "Shorten it."),
    "skill-description-tags": Code(_N, "The description holds angle brackets.", "Write it without tags."),
    "skill-name-form": Code(_W, "The name is not lower-case letters, digits and single hyphens, at most 64.", "Rename it."),
    "skill-name-folder": Code(_N, "The name differs from the folder's; the name counts.", "Give both one name."),
    "skill-name-twice": Code(_W, "Two skills or commands of the plugin have one name; the later one gets another.", "Rename one of them."),
    "skill-nested": Code(_N, "A SKILL.md deeper than one level is a file of its skill, not a skill of its own.", "Move it up, or list its path in the manifest."),
    "skill-file-name": Code(_N, "The file is called skill.md.", "Call it SKILL.md."),
    "skill-shell": Code(_N, "A command in !`…` would run before the model reads the text; it is not run.", "Tell the model to run it."),
    "skill-limit": Code(_E, "The plugin has more than 10,000 skills.", "Split it."),
    "category-unknown": Code(_N, "A ~~name is not in the table of CONNECTORS.md; it stays as it is.", "Add it to the table."),
    "agent-field": Code(_W, "A plugin's agent may not set this; it has no effect.", "Take it out."),
    # manifests
    "json-broken": Code(_E, "The file is not valid JSON.", "Put it right."),
    "json-bounds": Code(_E, "The file is too large or too deeply nested.", "Keep it below 1 MiB and 32 levels."),
    "json-key-twice": Code(_W, "A key stands twice; the last counts.", "Keep one of them."),
    "manifest-missing": Code(_N, "No .claude-plugin/plugin.json: the folder's name stands for the plugin's.", "Add one with a name."),
    "manifest-shape": Code(_E, "The file is not of the shape that its format says.", "See its format's description."),
    "manifest-path": Code(_E, "A path in the manifest leaves the plugin, or is not there.", "Begin it with ./ and stay inside."),
    "plugin-name-form": Code(_W, "The plugin's name is not lower-case letters, digits and single hyphens; another stands for it.", "Rename it."),
    "plugin-name-taken": Code(_W, "The name belongs to another plugin here; this one gets another.", "Choose one with --name."),
    "plugin-name-folder": Code(_N, "The plugin's name differs from its folder's.", "Give both one name."),
    "plugin-empty": Code(_W, "The plugin has nothing that Deskmate can use.", "Add a skill."),
    "part-not-used": Code(_N, "A part that Deskmate has no use for; it is kept as it is.", "None needed."),
    # hooks, servers, connectors
    "hooks-shape": Code(_W, "The hooks are not of the shape that their format says.", 'Write {"hooks": {…}}.'),
    "hooks-empty": Code(_N, "The file of hooks has none.", "Take it out."),
    "hook-event": Code(_W, "An event that Deskmate does not know.", "See the list of events."),
    "hook-matcher": Code(_W, "A matcher that is no pattern, or one that could take long; its hooks are left out.", "Name the tools, or use a simpler pattern."),
    "hook-type": Code(_W, "A kind of hook that nobody documents.", "Use command."),
    "mcp-shape": Code(_W, "A server is not of the shape that its format says; it is left out.", "Give it url, or command."),
    "mcp-empty": Code(_N, "The file names no server.", "Take it out."),
    "mcp-bare": Code(_N, "The file is a bare map of servers; it is read all the same.", 'Write {"mcpServers": {…}}.'),
    "mcp-later": Code(_N, "A server without an address: to be chosen when it is connected.", "Give it an address."),
    "mcp-name-form": Code(_N, "The server's name has spaces or odd characters.", "Rename it."),
    "mcp-twice": Code(_N, "A server is declared twice; the first counts.", "Keep one of them."),
    "mcp-unpinned": Code(_W, "What the server starts is not pinned to a version.", "Name an exact version."),
    "mcp-client-id": Code(_N, "The server brings a client id; yours is used instead.", "Leave it to the user."),
    "connectors-table": Code(_W, "CONNECTORS.md has no table with Category and Placeholder.", "Add it."),
    "connectors-not-configured": Code(_N, "CONNECTORS.md calls a server included that .mcp.json does not have.", "Add it, or call it an option."),
    # marketplaces
    "market-entry": Code(_E, "An entry of the marketplace cannot be used.", "Give it a name and a source."),
    "market-path": Code(_E, "An entry's folder leaves the marketplace, or is not there.", "Begin it with ./ and stay inside."),
    "market-fetch": Code(_W, "An entry's source must be fetched from the network; nothing is fetched.", "Fetch it yourself and add the folder."),
    "market-source": Code(_E, "A kind of source that nobody documents.", "See its format's description."),
    "market-name-twice": Code(_E, "Two entries have one name; the first counts.", "Rename one of them."),
    "market-conflict": Code(_W, "Entry and manifest both say what the plugin holds; the entry counts.", "Set strict, or say it once."),
    # overlays
    "overlay-base-changed": Code(_W, "The plugin changed a file for which your overlay has another.", "Compare the two."),
}  # fmt: skip


def diagnose(code: str, path: str, detail: str = "") -> Diagnostic:
    """Return the diagnostic of this code for `path`. `detail`: what exactly, may be text of strangers."""
    about = CODES[code]
    shown = detail if len(detail) <= _SHOWN_LIMIT else detail[: _SHOWN_LIMIT - 1] + "…"
    message = f"{about.meaning.rstrip('.')} ({shown})." if shown else about.meaning
    return Diagnostic(
        code=code, severity=about.severity, path=path, message=message, cure=about.cure
    )
