# Shared by every script that a host runs. HOST is its name in the config; messages begin with it.
set -eu
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

STATE=/var/lib/backstop
CONFIG=/etc/minio
RENEW=/usr/local/lib/backstop/renew-certificate

fail() {
  printf '%s: %s\n' "$HOST" "$*" >&2
  exit 1
}

# put_file MODE OWNER:GROUP PATH  <content: a reader never sees half a file, and an unchanged
# file keeps its inode.
put_file() {
  put_temporary="$3.backstop-new"
  cat >"$put_temporary" || fail "cannot write $3: is the disk full?"
  chown "$2" "$put_temporary"
  chmod "$1" "$put_temporary"
  if cmp -s "$put_temporary" "$3" 2>/dev/null; then
    rm -f "$put_temporary"
    chown "$2" "$3"
    chmod "$1" "$3"
  else
    sync "$put_temporary"
    mv -f "$put_temporary" "$3"
  fi
}

# seal NAME TOKEN  <lines "file PATH", "unit NAME" or "check COMMAND": records what this step left
# on the host. Every later run of the program compares the host with it (see facts.sh).
seal() {
  mkdir -p "$STATE/seals"
  seal_temporary="$STATE/seals/.$1.new"
  printf 'token %s\n' "$2" >"$seal_temporary"
  while read -r seal_kind seal_subject; do
    case "$seal_kind" in
    file) printf 'file %s %s %s\n' "$(sha256sum <"$seal_subject" | cut -c1-64)" \
      "$(stat -Lc %a:%U:%G "$seal_subject")" "$seal_subject" ;;
    *) printf '%s %s\n' "$seal_kind" "$seal_subject" ;;
    esac >>"$seal_temporary"
  done
  sync "$seal_temporary"
  mv -f "$seal_temporary" "$STATE/seals/$1"
}
