# Installs issuer and CA, the renewal and its timer, and issues the server's certificate if needed.
# Takes SERVICE_USER, NAMES (DNS:… and IP:…, comma-separated), LEAF_DAYS, RENEW_BEFORE_DAYS,
# API_PORT, RENEW_SCRIPT, SERVICE_UNIT, TIMER_UNIT, TOKEN; stdin: the issuer's certificate, then the CA's.
chain=$(cat)
printf '%s\n' "$chain" | awk '/BEGIN CERT/ {n++} n == 1' | put_file 0644 root:root "$CONFIG/issuer/issuer.crt"
printf '%s\n' "$chain" | awk '/BEGIN CERT/ {n++} n == 2' | put_file 0644 root:root "$CONFIG/ssl/CAs/ca.crt"
put_file 0600 root:root "$CONFIG/issuer/renewal.conf" <<CONF
SERVICE_USER=$SERVICE_USER
NAMES=$NAMES
LEAF_DAYS=$LEAF_DAYS
RENEW_BEFORE_DAYS=$RENEW_BEFORE_DAYS
API_PORT=$API_PORT
CONF
printf '%s' "$RENEW_SCRIPT" | put_file 0755 root:root "$RENEW"
printf '%s' "$SERVICE_UNIT" | put_file 0644 root:root /etc/systemd/system/backstop-certificate.service
printf '%s' "$TIMER_UNIT" | put_file 0644 root:root /etc/systemd/system/backstop-certificate.timer
"$RENEW" || fail "the server's certificate could not be issued; see the line above"
systemctl daemon-reload
systemctl enable --quiet --now backstop-certificate.timer
seal minio-certificate "$TOKEN" <<SEAL
file $CONFIG/issuer/issuer.crt
file $CONFIG/ssl/CAs/ca.crt
file $CONFIG/issuer/renewal.conf
file $RENEW
file /etc/systemd/system/backstop-certificate.service
file /etc/systemd/system/backstop-certificate.timer
unit backstop-certificate.timer
check $RENEW --check
SEAL
