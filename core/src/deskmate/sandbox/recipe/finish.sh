#!/bin/sh
# Runs last while the image is built: bytecode, rights, and all that would make two builds differ.
set -eu
root=$1
# Checked by content, not by time. One process a batch, always the same batches: bytecode depends on what
# its process compiled before.
chroot "$root" sh -c '
  find /usr/lib/python3* /usr/local/lib/python3*/dist-packages -mindepth 1 -maxdepth 1 | LC_ALL=C sort |
  PYTHONHASHSEED=0 xargs -n 12 -P "$(nproc)" python3 -m compileall -q -f --invalidation-mode unchecked-hash' || true
# Nothing in the guest gains rights by running a file.
find "$root" -xdev -perm /6000 -type f -exec chmod ug-s {} +
# The builder's own: name, name servers, package sources.
printf 'deskmate\n' > "$root/etc/hostname"
printf 'uninitialized\n' > "$root/etc/machine-id"
: > "$root/etc/resolv.conf"
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
# Caches, logs, and spare copies that hold times.
rm -rf "$root"/var/lib/apt/* "$root"/var/cache/apt "$root"/var/cache/debconf "$root"/var/cache/ldconfig
rm -rf "$root"/var/log "$root"/var/tmp/* "$root"/tmp/* "$root"/run/* "$root"/var/lib/dbus/machine-id
rm -rf "$root"/etc/.pwd.lock "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow-
rm -rf "$root"/var/lib/dpkg/*-old "$root"/var/lib/dpkg/lock* "$root"/var/lib/dpkg/triggers/Lock
rm -rf "$root"/var/lib/systemd/random-seed "$root"/var/lib/systemd/catalog/database
mkdir -p "$root/var/log" "$root/var/cache/apt" "$root/var/lib/apt/lists"
