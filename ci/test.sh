#!/bin/sh
# Every test. The pinned tools build in the background while the tests that need none of them run.
# Each part is one run of pytest, and each runs even if an earlier one failed; the exit code says
# whether all of them passed.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
# Images for CI often set this. Without bytecode every worker of every part would rewrite the
# assertions of all test files anew, and every command and plugin would be compiled anew.
unset PYTHONDONTWRITEBYTECODE
venv=$("$python" -m lab venv)
# The remote half of the command stand-in is tested against a real sshd, and the readers of images
# against what mkfs.xfs makes. CI gets both; a person's machine is left without (the tests then say
# so), for a package may start a service there.
if [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then
  packages=
  [ -x /usr/sbin/sshd ] || packages=openssh-server
  command -v mkfs.xfs >/dev/null || packages="$packages xfsprogs"
  # shellcheck disable=SC2086  (two words are two packages)
  [ -z "$packages" ] ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages >/dev/null; }
fi
# Several labs run at once, and each node of a cluster watches dozens of files for root: more than a
# kernel's default lets one user watch. It is put back at the end.
watchers=/proc/sys/fs/inotify/max_user_instances
watchers_before=$(cat "$watchers" 2>/dev/null || echo 1024)
[ "$watchers_before" -ge 1024 ] || echo 1024 >"$watchers" 2>/dev/null || :
logs=$(mktemp -d)
put_back() {
  rm -rf "$logs"
  [ "$watchers_before" -ge 1024 ] || echo "$watchers_before" >"$watchers" 2>/dev/null || :
}
"$python" -m lab tools >"$logs/tools" 2>&1 &
tools=$!
trap 'kill "$tools" 2>/dev/null || :; put_back' EXIT
failed=

part() {
  part_name=$1
  shift
  printf '\n== %s\n' "$part_name"
  "$venv/bin/python" -m pytest -q "$@" || failed="$failed $part_name"
}

printf '== lint and types\n'
{ "$venv/bin/ruff" format --check . && "$venv/bin/ruff" check . && "$venv/bin/mypy"; } || failed="$failed lint"
part fast -n 2 -m "not tools and not lab and not bench"
printf '\n== waiting for the tools\n'
if wait "$tools"; then
  tail -n 2 "$logs/tools"
else
  tail -n 20 "$logs/tools"
  printf 'the tools could not be built; the tests that need them would only be skipped\n' >&2
  exit 1
fi
trap put_back EXIT
# Files differ much in length; the worker that has none left takes over from the other one.
part tools -n 3 --dist worksteal -m "tools and not lab and not bench"
# Two workers, each with a lab of its own; a file stays with one worker, which deploys once for it.
part lab -n 2 --dist loadfile -m lab
if [ -n "$failed" ]; then
  printf '\nfailed:%s\n' "$failed" >&2
  exit 1
fi
