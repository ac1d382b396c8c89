# Read-only: says what the host is and what differs from what was sealed. One fact a line, a
# keyword first. No finding holds an apostrophe: findings show up in diffs of quoted scripts.
# Takes PORTS and PATHS (space-separated).
printf 'machine %s\n' "$(cat /etc/machine-id 2>/dev/null || echo none)"
printf 'clock %s\n' "$(date +%s)"
printf 'user %s\n' "$(id -u)"
for tool in systemctl openssl curl ss findmnt sha256sum useradd; do
  command -v "$tool" >/dev/null 2>&1 || printf 'missing %s\n' "$tool"
done
[ -d /run/systemd/system ] || printf 'missing systemd\n'
for path in $PATHS; do
  mountpoint -q "$path" 2>/dev/null && printf 'mount %s\n' "$path"
done
for path in /var/tmp /opt /var/lib /etc; do
  printf 'free %s %s\n' "$path" "$(df -Pk "$path" | awk 'NR==2 {print $4}')"
done
pid=$(systemctl show -p MainPID --value minio.service 2>/dev/null || echo 0)
for port in $PORTS; do
  ss -ltnpH "sport = :$port" 2>/dev/null | while read -r line; do
    case "$line" in
    *"pid=$pid,"*) ;;
    *) printf 'listener %s %s\n' "$port" "$(printf '%s' "$line" | sed -n 's/.*users:(("\([^"]*\)".*/\1/p')" ;;
    esac
  done
done
[ -L /usr/local/bin/minio ] && printf 'binary %s\n' "$(readlink /usr/local/bin/minio)"
# A program without a state learns from the host how to speak to its server (see sighting.py).
if systemctl is-active --quiet minio.service 2>/dev/null && [ -s "$CONFIG/ssl/CAs/ca.crt" ]; then
  sed -n 's/^MINIO_ROOT_USER="\(.*\)"$/root-user \1/p; s/^MINIO_ROOT_PASSWORD="\(.*\)"$/root-password \1/p' \
    "$CONFIG/minio.conf" 2>/dev/null || :
  sed 's/^/authority /' "$CONFIG/ssl/CAs/ca.crt"
fi
for sealed in "$STATE"/seals/*; do
  [ -f "$sealed" ] || continue
  name=${sealed##*/}
  while read -r kind first rest; do
    case "$kind" in
    token) printf 'seal %s %s\n' "$name" "$first${rest:+ $rest}" ;;
    file)
      path=${rest#* }
      if [ ! -e "$path" ]; then
        printf 'drift %s %s is gone\n' "$name" "$path"
      elif [ "$(sha256sum <"$path" | cut -c1-64)" != "$first" ]; then
        printf 'drift %s %s was changed\n' "$name" "$path"
      elif [ "$(stat -Lc %a:%U:%G "$path")" != "${rest%% *}" ]; then
        printf 'drift %s %s has another owner or mode\n' "$name" "$path"
      fi ;;
    unit)
      [ "$(systemctl is-enabled "$first" 2>/dev/null)" = enabled ] ||
        printf 'drift %s unit %s is not enabled\n' "$name" "$first"
      [ "$(systemctl is-active "$first" 2>/dev/null)" = active ] ||
        printf 'drift %s unit %s is not active\n' "$name" "$first" ;;
    check)
      finding=$(sh -c "$first $rest" 2>&1) || printf 'drift %s %s\n' "$name" "$(printf '%s' "$finding" | tail -n 1)" ;;
    esac
  done <"$sealed"
done
printf 'end\n'
