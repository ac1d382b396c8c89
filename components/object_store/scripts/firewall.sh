# An nftables table of our own for the server's ports, loaded by a unit of our own; no rule of
# others is touched. Takes RULES (empty: the table is taken away), UNIT, TOKEN.
rules=/etc/backstop-firewall.nft
unit=/etc/systemd/system/backstop-firewall.service
table="nft list table inet backstop_store"
if [ -z "$RULES" ]; then
  systemctl disable --quiet --now backstop-firewall.service 2>/dev/null || :
  rm -f "$rules" "$unit"
  systemctl daemon-reload
  # Also a table whose unit somebody took away.
  if $table >/dev/null 2>&1; then nft delete table inet backstop_store; fi
  : | seal minio-firewall "$TOKEN"
  exit 0
fi
command -v nft >/dev/null || fail "objectStore.firewall: nftables is not installed on this host"
printf '%s' "$RULES" | put_file 0644 root:root "$rules"
nft --check --file "$rules" || fail "objectStore.firewall: nft refuses the rules; see the line above"
printf '%s' "$UNIT" | put_file 0644 root:root "$unit"
systemctl daemon-reload
systemctl enable --quiet backstop-firewall.service
# A reload replaces the table in one step; a restart would leave the ports open in between.
systemctl reload-or-restart backstop-firewall.service
seal minio-firewall "$TOKEN" <<SEAL
file $rules
file $unit
unit backstop-firewall.service
check $table >/dev/null 2>&1 || { echo "the table of the firewall is gone"; exit 1; }
check test "\$($table 2>&1 | sha256sum)" = "$($table | sha256sum)" || { echo "the table of the firewall was changed"; exit 1; }
SEAL
