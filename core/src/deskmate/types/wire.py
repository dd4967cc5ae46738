"""Names and bounds of the channel between host and guest, the same on both sides.

The `agent` port carries MCP (JSON-RPC 2.0, protocol revision `PROTOCOL`), one JSON object a line.
Methods of MCP itself keep their names; ours begin with `deskmate/`. The `bulk` port carries tar
streams, one at a time, each announced by a `deskmate/put` or `deskmate/take` request.
docs/reference/guest-protocol.md gives every message's shape.
"""

from __future__ import annotations

PROTOCOL = "2026-07-28"

LINE_LIMIT_BYTES = 1 << 20
JSON_DEPTH_LIMIT = 32
REGISTRY_LIMIT_BYTES = 1 << 20

RESUME = "deskmate/resume"
"""After every restore: time, random bytes, machine id, host name; answers when workers are fresh."""
CLOCK = "deskmate/clock"
"""Set the wall clock of a machine that was stopped for a while; nothing else changes."""
PING = "deskmate/ping"
REGISTRY = "deskmate/registry"
"""The registry of the plugins in the layer, as JSON."""
LOAD = "deskmate/load"
"""Before a freeze only: mount the disk `plugins` and load what its lock names; answers when all have reported."""
OPEN = "deskmate/open"
"""Mount the scratch disk and lay out the workspace: grants and their modes."""
PUT = "deskmate/put"
"""A tar stream follows on `bulk`; unpack it as base files, as a checkpoint or as a clean room's input."""
LAY = "deskmate/lay"
"""Mount an image that lies on the disk `files` as one more layer of base files."""
DIFFERENCE = "deskmate/difference"
"""Freeze the overlay's difference: answers with the manifest's size, which follows on `bulk`."""
TAKE = "deskmate/take"
"""Send the content of the named files as a tar stream on `bulk`."""
EGRESS = "deskmate/egress"
"""Open the way out: certificates to trust, and each plugin's stand-ins for secrets."""
STATUS = "deskmate/status"
"""The ledger's answer for one call key: unknown, running, or the finished result."""
VALIDATE = "deskmate/validate"
"""Clean room only: run the rules over the deliverables that were put."""
PROGRESS = "notifications/progress"

META_KEY = "deskmate/key"
"""In `tools/call` `_meta`: the idempotency key; the guest's ledger answers the same key once."""
META_EVIDENCE = "deskmate/evidence"
"""In a tool result's `_meta`: list of evidence objects."""
META_DELIVERABLES = "deskmate/deliverables"
"""In a tool result's `_meta`: list of deliverable objects."""
META_NEEDS = "deskmate/needs"
"""In a tool result's `_meta`: workspace paths that it looked for and that are only listed."""
META_WROTE = "deskmate/wrote"
"""In a tool result's `_meta`: true when the overlay may have changed."""

WORKSPACE = "/workspace"
HOME = "/home/agent"
"""The agent's own folder in the guest; it is in checkpoints, never in a change set."""
SPACE_BYTES = 7 << 30
"""How much of the granted folders fits a virtual machine's disk."""
FILES_DISK_BYTES = 16 << 30
"""What a guest takes the disk `files` for. Each file begins at a block, so more than its content's size."""
LISTING = "/run/workspace"
"""What the guest knows of files whose content is not there: 0.json, and what came in since."""
LAYER = "/opt/deskmate"
"""Where the layer disk is mounted: lib/ (Deskmate's own guest code), plugins/<name>/, wheels/, lock.json."""
PLUGINS = "/opt/plugins"
"""Where the disk of plugins that are loaded later is mounted: a whole layer, of which `lib` is not used."""
BROUGHT = f"{PLUGINS}/brought"
"""Where plugins in other formats lie, one folder each: read-only files, of which nothing is run by itself."""
RESULTS = "/run/results"
"""What a plugin's tools presented in earlier machines: <plugin>.json; what it was made from: originals/<path>."""
GIVEN = "given.json"
"""In the clean room's folder: `{"sources": [{"path","sha256"}], "evidence": [Evidence], "facts": {...}}`."""
CLEAN = "/clean"
"""Where a clean room's input lies: deliverables/, sources/."""

OFFICE_SOCKET = "/run/deskmate-office/service"
"""In guests of flavour `office`: where documents are rendered and recalculated, one job a connection."""
OFFICE_UID = 1500
"""In those guests: the user whom LibreOffice runs as."""
