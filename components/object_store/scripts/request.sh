# The key of this host's own issuer, made here; stdout: its request, to be signed by the CA.
# Takes TOKEN.
issuer="$CONFIG/issuer"
if [ ! -s "$issuer/issuer.csr" ] || [ "$(openssl req -in "$issuer/issuer.csr" -noout -pubkey)" != \
  "$(openssl pkey -in "$issuer/issuer.key" -pubout 2>/dev/null)" ]; then
  openssl ecparam -name prime256v1 -genkey -noout -out "$issuer/issuer.key.new"
  openssl req -new -key "$issuer/issuer.key.new" -sha256 -subj "/CN=Backstop issuer on $HOST" -out "$issuer/issuer.csr.new"
  mv -f "$issuer/issuer.key.new" "$issuer/issuer.key"
  mv -f "$issuer/issuer.csr.new" "$issuer/issuer.csr"
fi
chown root:root "$issuer/issuer.key" "$issuer/issuer.csr"
chmod 0600 "$issuer/issuer.key" "$issuer/issuer.csr"
cat "$issuer/issuer.csr"
printf 'file %s\nfile %s\n' "$issuer/issuer.key" "$issuer/issuer.csr" | seal minio-request "$TOKEN"
