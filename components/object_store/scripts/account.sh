# The service's own user and its directories. Takes SERVICE_USER, DRIVES, REQUIRE_MOUNT, TOKEN.
getent group "$SERVICE_USER" >/dev/null || groupadd --system "$SERVICE_USER"
getent passwd "$SERVICE_USER" >/dev/null || useradd --system --gid "$SERVICE_USER" \
  --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SERVICE_USER"
shell=$(getent passwd "$SERVICE_USER" | cut -d: -f7)
case "$shell" in
*/nologin | */false) ;;
*) fail "the user $SERVICE_USER has the login shell $shell; choose another objectStore.systemUser" ;;
esac
install -d -m 0700 -o root -g root "$STATE" "$STATE/seals"
install -d -m 0755 -o root -g root /usr/local/lib/backstop /opt/backstop /opt/backstop/minio
install -d -m 0750 -o root -g "$SERVICE_USER" "$CONFIG" "$CONFIG/ssl" "$CONFIG/ssl/CAs"
install -d -m 0700 -o root -g root "$CONFIG/issuer"
for drive in $DRIVES; do
  mount=${drive%/*}
  if [ "$REQUIRE_MOUNT" = yes ] && ! mountpoint -q "$mount"; then
    fail "$mount is not a mount point: mount the drive there, or set objectStore.requireMountPoint to false"
  fi
  if [ -d "$drive" ] && [ "$(stat -c %U "$drive")" != "$SERVICE_USER" ] && [ -n "$(ls -A "$drive")" ]; then
    fail "$drive holds data of the user $(stat -c %U "$drive"): move it away, or name another drive"
  fi
  mkdir -p "$mount"
  install -d -m 0750 -o "$SERVICE_USER" -g "$SERVICE_USER" "$drive" ||
    fail "cannot make $drive: is the disk full or read-only?"
done
seal minio-account "$TOKEN" <<SEAL
check test "\$(getent passwd $SERVICE_USER | cut -d: -f7)" = "$shell" || { echo "the user $SERVICE_USER was changed"; exit 1; }
SEAL
