#!/bin/sh
# Previews one stack with the policy pack, as the pull request workflow does.
#
#   sh ci/preview.sh STACK
#
# It changes nothing: a stack that the backend does not hold is previewed as a new one, from a
# throw-away backend and a copy of its configuration. A stack that takes its hosts from an
# inventory, where none is named, gets the lab's environment. The exit code is the engine's (never 0
# when a policy refuses the stack), or 2 when the call itself is wrong.
set -eu

fail() {
  echo "ci/preview.sh: $1" >&2
  exit 2
}

cd "$(dirname "$0")/.."
[ $# -eq 1 ] || fail "name one stack, as in: sh ci/preview.sh dev"
stack=$1
config=Pulumi.$stack.yaml
[ -f "$config" ] || fail "there is no $config: name a stack that has a file of its own"
if [ -z "${BACKSTOP_INVENTORY:-}" ] && grep -q BACKSTOP_INVENTORY "$config"; then
  environment=$(python3 -m lab env) ||
    fail "$config takes its hosts from BACKSTOP_INVENTORY: set it, or run: python3 -m lab up"
  eval "$environment"
fi
command -v pulumi >/dev/null ||
  fail "pulumi is not on PATH: install it, or run: eval \"\$(python3 -m lab env)\""
[ -n "${PULUMI_CONFIG_PASSPHRASE+set}${PULUMI_CONFIG_PASSPHRASE_FILE+set}" ] ||
  fail "no passphrase for $config: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
export PULUMI_SKIP_UPDATE_CHECK=true

held=6
if [ -n "${PULUMI_BACKEND_URL:-}" ]; then
  held=0
  pulumi --non-interactive stack --stack "$stack" --show-name >/dev/null 2>&1 || held=$?
fi
if [ "$held" -eq 6 ]; then # the engine's exit code for a stack that is not there
  echo "ci/preview.sh: no state of $stack is at hand, so everything in it counts as new" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/state"
  cp Pulumi.yaml "$config" "$work/"
  config=$work/$config
  PULUMI_BACKEND_URL=file://$work/state
  export PULUMI_BACKEND_URL
  pulumi --non-interactive --cwd "$work" stack init "$stack" --no-select >&2
elif [ "$held" -ne 0 ]; then
  pulumi --non-interactive stack --stack "$stack" --show-name >&2 # once more, to show why
fi

pulumi --non-interactive --color never preview --stack "$stack" --config-file "$config" \
  --policy-pack policies --suppress-progress
