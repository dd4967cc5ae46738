#!/bin/sh
# Runs once while the image is built, with the new root as $1: accounts, mount points, bytecode.
set -eu
root=$1
printf 'workspace:x:3000:\n' >> "$root/etc/group"
printf 'agent:x:1000:3000:agent:/home/agent:/bin/bash\n' >> "$root/etc/passwd"
number=1
while [ $number -le 31 ]; do
  uid=$((2000 + number))
  printf 'plugin%d:x:%d:3000:plugin:/nonexistent:/usr/sbin/nologin\n' $number $uid >> "$root/etc/passwd"
  number=$((number + 1))
done
mkdir -p "$root/opt/deskmate" "$root/workspace" "$root/scratch" "$root/clean" "$root/home/agent"
printf 'uninitialized\n' > "$root/etc/machine-id"
printf '127.0.0.1 localhost\n::1 localhost\n' > "$root/etc/hosts"
: > "$root/etc/resolv.conf"
# Checked by content, not by time: the disk's times are those of the packages.
chroot "$root" python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /usr/lib/python3* /usr/local/lib/python3* || true
# Nothing in the guest gains rights by running a file.
find "$root" -xdev -perm /6000 -type f -exec chmod ug-s {} +
rm -rf "$root/var/lib/apt/lists" "$root/var/cache/apt" "$root/var/log" "$root/var/cache/debconf"
mkdir -p "$root/var/log"
