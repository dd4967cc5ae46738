#!/bin/sh
# Runs once while the image is built, with the new root as $1: accounts and mount points.
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
printf '127.0.0.1 localhost\n::1 localhost\n' > "$root/etc/hosts"
# wget reads no variable that names its authorities; the file is there once a thread has a way out.
printf 'ca_certificate = /run/deskmate-egress.pem\n' >> "$root/etc/wgetrc"
# The machine is its thread's alone: pip installs into the home folder without being told to break the system.
rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
printf '#!/usr/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n' > "$root/usr/local/bin/pip"
chmod 755 "$root/usr/local/bin/pip"
ln -s pip "$root/usr/local/bin/pip3"
