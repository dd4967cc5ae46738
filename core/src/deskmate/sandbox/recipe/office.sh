#!/bin/sh
# Runs once while an office image is built: the listener's own user, and the fonts' caches.
set -eu
root=$1
printf 'office:x:1500:\n' >> "$root/etc/group"
printf 'office:x:1500:1500:office:/run/deskmate-office:/usr/sbin/nologin\n' >> "$root/etc/passwd"
# A cache counts only while its folder's time is what it was: the disk gives every file this one.
find "$root/usr/share/fonts" "$root/usr/local/share/fonts" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
rm -rf "$root/var/cache/fontconfig"
mkdir -p "$root/var/cache/fontconfig"
chroot "$root" fc-cache -s
# The guest command that renders: `deskmate-render report.docx report.pdf`.
cat > "$root/usr/local/bin/deskmate-render" <<'PROGRAM'
#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/opt/deskmate/lib")
from deskmate_documents.render import main
sys.exit(main(sys.argv[1:]))
PROGRAM
chmod 755 "$root/usr/local/bin/deskmate-render"
