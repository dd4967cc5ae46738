"""Builds the adapters of the ports from the user's settings and this environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from deskmate.errors import ConfigError, SandboxMissing, UserError
from deskmate.ports import Clock, Model, Progress, Sandbox
from deskmate.types.connectors import PLUGIN, ConnectorEntry
from deskmate.types.events import PluginsSet
from deskmate.types.hooks import HookSpec
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.progress import Note
from deskmate.types.registry import Layer, Manifest, RoleSpec

if TYPE_CHECKING:
    from deskmate.changes.digests import Digests
    from deskmate.connectors.book import Book
    from deskmate.connectors.egress.outside import Outside
    from deskmate.connectors.redaction import Redactor
    from deskmate.connectors.vault import Vault
    from deskmate.discovery.installed import Catalogue
    from deskmate.host.organisation import Organisation
    from deskmate.store.blobs import BlobStore
    from deskmate.store.memory import Memories
    from deskmate.store.projects import Projects

_MEMORY_FOR_TWO_MIB = 3_072
"""Where less is free, sub-agents work one after the other."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> str:
        """Wall clock as RFC 3339 UTC with microseconds."""
        from deskmate.store.thread import utc_now  # noqa: PLC0415

        return utc_now()

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


class Adapters:
    """Makes each adapter when it is first asked for. Cheap to build."""

    def __init__(
        self,
        places: Places,
        *,
        environ: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        model: Model | None = None,
        clock: Clock | None = None,
        outside: Outside | None = None,
    ) -> None:
        """`sandbox`, `model`, `clock`, `outside`: used instead of the usual ones; for tests and embedding."""
        self.places = places
        self._environ = dict(os.environ if environ is None else environ)
        self._sandbox = sandbox
        self._model = model
        self._outside = outside
        self.clock = clock or SystemClock()
        self._brings_own_plugins = sandbox is not None
        self._programs: dict[str, ConnectorEntry] = {}

    def catalogue(self) -> Catalogue:
        """Return the plugins of this environment, found without importing them."""
        from deskmate.discovery.installed import find_plugins  # noqa: PLC0415

        return find_plugins(cache=self.places.cache / "manifests.json", store=self.places.plugins)

    def blobs(self) -> BlobStore:
        """Return the store of content."""
        from deskmate.store.blobs import BlobStore  # noqa: PLC0415

        return BlobStore(self.places.blobs)

    def projects(self) -> Projects:
        """Return the user's projects."""
        from deskmate.store.projects import Projects  # noqa: PLC0415

        return Projects(self.places.data)

    def memories(self) -> Memories:
        """Return the notes of the user's projects."""
        from deskmate.store.memory import Memories  # noqa: PLC0415

        return Memories(self.places.data)

    def subagents_at_once(self) -> int:
        """Return how many sub-agents of a run may work beside each other: each has a machine of its own."""
        from deskmate.sandbox.host_checks import available_mib  # noqa: PLC0415

        free = available_mib()
        return 2 if free is None or free >= _MEMORY_FOR_TWO_MIB else 1

    def digests(self) -> Digests:
        """Return what is known of files that were read before."""
        from deskmate.changes.digests import Digests  # noqa: PLC0415

        return Digests(self.places.cache / "digests.sqlite")

    def layer(self, plugins: Sequence[str], progress: Progress) -> Layer:
        """Return the disk for a set of plugins, built if needed. Blocks."""
        from deskmate.discovery.layer import build_layer  # noqa: PLC0415

        catalogue = self.catalogue()
        for name in plugins:
            if name.startswith(PLUGIN):
                from deskmate.discovery.programs import with_program  # noqa: PLC0415

                entry = self._programs.get(name) or self.connectors().get(name[len(PLUGIN) :])
                catalogue = with_program(catalogue, entry)
        return build_layer(plugins, catalogue, self.places, progress)

    def know_program(self, entry: ConnectorEntry) -> None:
        """Have machines for this connector's program, whatever the user's book has."""
        self._programs[entry.plugin] = entry

    def sandbox(self) -> Sandbox:
        """Return where tools run."""
        if self._sandbox is None:
            from deskmate.discovery.registry_check import whole_registry  # noqa: PLC0415
            from deskmate.sandbox.adapter import QemuSandbox  # noqa: PLC0415
            from deskmate.sandbox.walls import read_demand  # noqa: PLC0415

            demand = read_demand(self.settings())
            self._sandbox = QemuSandbox(self.places, self.layer, whole_registry, demand=demand)
        return self._sandbox

    def model(self, name: str | None, record: Path | None = None) -> Model:
        """Return the model of this name, or the one that the settings ask for. Raises UserError if it is not allowed."""
        if self._model is not None:
            return self._model
        from deskmate.host.model_choice import environ_with_key  # noqa: PLC0415
        from deskmate.models.choose import choose_model, server_of  # noqa: PLC0415

        settings, environ = self.settings(), environ_with_key(self._environ, self.places)
        model = choose_model(name, environ, settings, record=record)
        server = server_of(model.name, environ, settings)
        self.organisation().check_model(model.name, [server] if server else [])
        return model

    def organisation(self) -> Organisation:
        """Return what this machine's administrator allows. Raises ConfigError."""
        from deskmate.host.organisation import read_organisation  # noqa: PLC0415

        return read_organisation()

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """Deskmate's own folders, which no thread may copy in."""
        return (self.places.data, self.places.cache, self.places.config)

    def check_plugins(self, names: Sequence[str]) -> None:
        """Raise PluginError if one of these is missing or broken, UserError if it is not allowed."""
        self.organisation().check_plugins(names)
        if names and not self._brings_own_plugins:
            catalogue = self.catalogue()
            for name in names:
                catalogue.get(name)

    def check_consent(self, names: Sequence[str]) -> None:
        """Raise PluginError if one of these wants what the user has not agreed to."""
        if names and not self._brings_own_plugins:
            from deskmate.discovery.consent import Consents, check_consent  # noqa: PLC0415

            catalogue = self.catalogue()
            check_consent([catalogue.get(name) for name in names], Consents(self.places.plugins))

    def plugin_settings(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return plugin → setting → value: from `[plugins.<name>]` of the settings, else the default.

        Raises ConfigError if a value does not fit the plugin's manifest.
        """
        from deskmate.discovery.manifest import settings_of  # noqa: PLC0415

        plugins = self.settings().get("plugins", {})
        if not isinstance(plugins, dict) or not all(isinstance(v, dict) for v in plugins.values()):
            hint = "Write a table per plugin: [plugins.legal]"
            raise ConfigError("The setting plugins is not a table of tables.", hint=hint)
        if self._brings_own_plugins or not names:
            return plugins
        catalogue = self.catalogue()
        return {
            name: settings_of(name, catalogue.get(name).manifest, plugins.get(name, {}))
            for name in names
        }

    def hooks(self, names: Sequence[str], progress: Progress) -> tuple[HookSpec, ...]:
        """Return the approved commands of these plugins; of those that are off all the same it is told. Blocks. Raises ConfigError."""
        if self._brings_own_plugins or not names:
            return ()
        from deskmate.discovery.hooking import HookApprovals, hook_specs, lapsed  # noqa: PLC0415

        approvals, catalogue = HookApprovals(self.places.plugins), self.catalogue()
        config, found = self.plugin_settings(names), list[HookSpec]()
        organisation = self.organisation()
        for plugin in map(catalogue.get, names):
            if not organisation.lets_hooks(plugin.name):
                if approvals.of(plugin.name) is not None:
                    progress(Note(f"your organisation does not allow hooks of {plugin.name}"))
                continue
            if lapsed(plugin, approvals):
                progress(
                    Note(
                        f"{plugin.name} changed, so its hooks are off: deskmate plugin hooks {plugin.name}"
                    )
                )
            found += hook_specs(plugin, approvals, config.get(plugin.name, {}))
        return tuple(found)

    def roles(self, names: Sequence[str]) -> tuple[RoleSpec, ...]:
        """Return the roles that these plugins bring for sub-agents. Blocks. Raises PluginError if one was changed."""
        if self._brings_own_plugins or not names:
            return ()
        from deskmate.discovery.foreign import role_specs  # noqa: PLC0415

        catalogue = self.catalogue()
        return tuple(role for name in names for role in role_specs(catalogue.get(name)))

    def model_for(self, wish: str, instead_of: Model) -> Model | None:
        """Return the model that a role wishes for, None where it is not to be had, not allowed, or dearer than the run's."""
        from deskmate.models.catalogue import MODELS  # noqa: PLC0415

        known = {name: info.price for name, info in MODELS.items() if info.price is not None}
        own, wanted = known.get(instead_of.name), known.get(wish)
        if self._model is not None or own is None or wanted is None or wish == instead_of.name:
            return None
        if (wanted.input, wanted.output) > (own.input, own.output):
            return None
        try:
            return self.model(wish)
        except UserError:
            return None

    def manifests(self, names: Sequence[str]) -> Mapping[str, Manifest]:
        """Return the manifests of these plugins. Raises PluginError if one is missing or broken."""
        if self._brings_own_plugins or not names:
            return {}
        catalogue = self.catalogue()
        return {name: catalogue.get(name).manifest for name in names}

    def vault(self) -> Vault:
        """Return the user's secrets, for reading."""
        from deskmate.connectors.vault import open_vault  # noqa: PLC0415

        return open_vault(self.places.config, to_read=True)

    def connectors(self) -> Book:
        """Return the user's connectors."""
        from deskmate.connectors.book import Book  # noqa: PLC0415

        return Book(self.places.config)

    def redactor(self) -> Redactor:
        """Return what knows every secret that this process has: the user's, and the models' keys. Blocks."""
        from deskmate.connectors.redaction import Redactor  # noqa: PLC0415
        from deskmate.models.choose import KEY, URL_KEY  # noqa: PLC0415

        keys = {name: self._environ.get(name, "") for name in (KEY, URL_KEY)}
        kept = self.vault().values().items()
        return Redactor({**keys, **{f"{plugin}.{name}": value for (plugin, name), value in kept}})

    def outside(self) -> Outside:
        """Return the network as brokers reach it."""
        if self._outside is None:
            from deskmate.connectors.egress.outside import internet  # noqa: PLC0415

            self._outside = internet()
        return self._outside

    def model_hosts(self) -> frozenset[str]:
        """Return the hosts that models are reached at, which no machine may reach."""
        from deskmate.host.network import model_hosts  # noqa: PLC0415
        from deskmate.models.choose import URL  # noqa: PLC0415

        named = (self._environ.get(URL, ""), self._environ.get("ANTHROPIC_BASE_URL", ""))
        return model_hosts((*named, str(self.settings().get("model_url") or "")))

    def settings(self) -> Mapping[str, Any]:
        """Return the user's settings. Raises ConfigError if the file cannot be read."""
        from deskmate.models.settings import read_settings  # noqa: PLC0415

        return read_settings(self.places.config)

    async def choose_plugins(self, names: Sequence[str], progress: Progress) -> PluginsSet:
        """Return the fact that these plugins are enabled, locked to what is installed now.

        Raises PluginError if one is missing or broken, UserError if it is not allowed.
        """
        self.organisation().check_plugins(names)
        if self._brings_own_plugins:
            return PluginsSet(lock=Digest(""), versions=dict.fromkeys(names, ""))
        from deskmate.discovery.consent import permissions_digest  # noqa: PLC0415

        catalogue = self.catalogue()
        chosen = {name: catalogue.get(name) for name in names}
        versions = {name: plugin.version for name, plugin in chosen.items()}
        agreed = {name: permissions_digest(plugin) for name, plugin in chosen.items()}
        try:
            layer = await anyio.to_thread.run_sync(self.layer, tuple(names), progress)
        except SandboxMissing:
            return PluginsSet(
                lock=Digest(""), versions=versions, permissions=agreed
            )  # the run says why tools are off
        order = [name for name in layer.plugins if name in versions]
        return PluginsSet(
            lock=layer.lock,
            versions={name: versions[name] for name in order},
            permissions={name: agreed[name] for name in order},
        )
