#!/bin/busybox sh
# First program of the guest: loads the modules, joins the disks into one root, hands over to Deskmate.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in $($B cat /modules); do $B insmod "/lib/modules/$module" || exit 1; done
[ -c /dev/hvc0 ] && exec </dev/null >/dev/hvc0 2>&1
$B mkdir -p /ro /rw
tries=0
until [ -b /dev/vdc ] && $B grep -q egress /sys/class/virtio-ports/*/name 2>/dev/null; do
  tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1
  $B usleep 10000
done
$B mount -t erofs -o ro /dev/vda /ro || exit 1
$B mount -t tmpfs -o mode=755 tmpfs /rw
$B mkdir -p /rw/upper /rw/work
$B mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work,redirect_dir=off,metacopy=off,index=off,xino=off overlay /newroot || exit 1
$B mount -t erofs -o ro,nosuid,nodev /dev/vdb /newroot/opt/deskmate || exit 1
for directory in dev proc sys; do $B mount --move /$directory /newroot/$directory; done
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
exec $B switch_root /newroot /usr/bin/python3 -I /opt/deskmate/lib/deskmate_guest/boot.py
