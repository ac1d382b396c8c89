# Read-only: says what a node has of what Longhorn needs. One fact a line, a keyword first; no module
# is loaded and no unit started. Takes DATA_PATH and KUBELET_PATH. Every tool may be missing.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
release=$(uname -r)

has() { command -v "$1" >/dev/null 2>&1; }

# A query that hangs must not hold up the whole preflight.
briefly() {
  if has timeout; then timeout 5 "$@"; else "$@"; fi 2>/dev/null
}

# The part of a path that exists: Longhorn makes the rest.
standing() {
  place=$1
  while [ ! -e "$place" ]; do place=${place%/*}; [ -n "$place" ] || place=/; done
  printf '%s' "$place"
}

module() {
  pattern=$(printf '%s' "$1" | sed 's/_/[-_]/g')
  if [ -d "/sys/module/$1" ]; then
    state=loaded
  elif grep -qs "/$pattern\.ko" "/lib/modules/$release/modules.builtin"; then
    state=builtin
  elif ! has modprobe; then
    state=unknown
  elif planned=$(briefly modprobe -n -v "$1"); then
    case "$planned" in
    *install*/bin/false* | *install*/bin/true*) state=forbidden ;;
    *) state=loadable ;;
    esac
  else
    state=absent
  fi
  printf 'module %s %s\n' "$1" "$state"
}

printf 'clock %s\n' "$(date +%s)"
printf 'user %s\n' "$(id -u)"
printf 'kernel %s\n' "$release"
[ -r /etc/os-release ] && printf 'os %s\n' "$(. /etc/os-release && printf '%s %s' "${ID:-unknown}" "${ID_LIKE:-}")"
for tool in bash curl findmnt grep awk blkid lsblk iscsiadm mount.nfs cryptsetup dmsetup; do
  has "$tool" || printf 'missing %s\n' "$tool"
done
if [ -d /run/systemd/system ] && has systemctl; then
  for unit in iscsid.service iscsid.socket multipathd.service multipathd.socket; do
    printf 'unit %s %s %s\n' "$unit" "$(briefly systemctl is-active "$unit")" \
      "$(briefly systemctl show -p LoadState --value "$unit")"
  done
fi
for comm in /proc/[0-9]*/comm; do
  { read -r name <"$comm"; } 2>/dev/null || continue
  case "$name" in iscsid | multipathd) printf 'process %s\n' "$name" ;; esac
done
grep -qs '^InitiatorName=.' /etc/iscsi/initiatorname.iscsi && printf 'initiator\n'
for name in iscsi_tcp nfs nfsv4 dm_crypt; do module "$name"; done
for file in "/boot/config-$release" "/lib/modules/$release/config" /proc/config.gz; do
  [ -r "$file" ] || continue
  case "$file" in
  *.gz) briefly zcat "$file" ;;
  *) cat "$file" ;;
  esac | sed -n 's/^CONFIG_\(NFS_V4_[12]\)=\([ym]\)$/kernel-config \1 \2/p; $s/.*/kernel-config read y/p'
  break
done
for file in /etc/nfsmount.conf /etc/nfsmount.conf.d/*.conf; do
  [ -r "$file" ] && sed -n 's/^[[:space:]]*[Dd]efaultvers[[:space:]]*=[[:space:]]*\([0-9.]*\).*/nfs-default \1/p' "$file"
done
# What multipathd leaves alone: as it says itself, or as its files say.
{
  briefly multipathd show config ||
    cat /etc/multipath.conf /etc/multipath/conf.d/*.conf 2>/dev/null
} | awk '
  /^[ \t]*[#!]/ { next }
  !inside && /^[ \t]*blacklist(_exceptions)?([ \t{]|$)/ { inside = 1; depth = 0; opened = 0 }
  inside {
    print "multipath " $0
    opens = gsub(/{/, "{"); depth += opens - gsub(/}/, "}"); opened += opens
    if (opened && depth <= 0) inside = 0
  }' 2>/dev/null
for path in "$DATA_PATH" "$KUBELET_PATH"; do
  [ -e "$path" ] && printf 'exists %s\n' "$path"
  printf 'propagation %s %s\n' "$path" "$(briefly findmnt -n -o PROPAGATION -T "$(standing "$path")" | tail -n 1)"
done
at=$(standing "$DATA_PATH")
for column in FSTYPE OPTIONS TARGET; do
  printf 'data %s %s\n' "$column" "$(briefly findmnt -n -o "$column" -T "$at" | tail -n 1)"
done
printf 'data SPACE %s\n' "$(df -Pk "$at" 2>/dev/null | awk 'NR == 2 { print $2, $4 }')"
synchronised=$(briefly timedatectl show -p NTPSynchronized --value)
[ "$synchronised" != yes ] && briefly chronyc -n tracking | grep -q '^Leap status.*Normal' && synchronised=yes
printf 'synchronised %s\n' "${synchronised:-unknown}"
[ -r /sys/fs/selinux/enforce ] && printf 'selinux %s\n' "$(cat /sys/fs/selinux/enforce)"
printf 'end\n'
