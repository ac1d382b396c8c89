#!/bin/sh
# Puts a file into a pull request as one comment per stack, and replaces it the next time.
#
#   GH_TOKEN=... GITHUB_REPOSITORY=owner/name sh ci/comment.sh STACK PULL_REQUEST FILE
#
# Needs the GitHub command line (`gh`). A hidden first line tells which comment is which stack's.
set -eu

if [ $# -ne 3 ] || [ ! -r "$3" ]; then
  echo "ci/comment.sh: name a stack, a pull request's number and a file that can be read" >&2
  exit 2
fi
stack=$1 number=$2 file=$3
# GitHub refuses comments of more than 65,536 characters; the end holds the verdict.
limit=60000
mark="<!-- backstop preview of $stack -->"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
body=$work/body
# Indented, not fenced: nothing the program prints can end the block.
sed 's/^/    /' "$file" >"$work/shown"
printf '%s\n#### Preview of `%s`\n\n' "$mark" "$stack" >"$body"
if [ "$(wc -c <"$work/shown")" -le "$limit" ]; then
  cat "$work/shown" >>"$body"
else
  printf 'Only the end is shown.\n\n' >>"$body"
  tail -c "$limit" "$work/shown" | sed 1d >>"$body" # the first line is cut somewhere
fi

comments=repos/$GITHUB_REPOSITORY/issues/$number/comments
earlier=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$mark\")) | .id" |
  head -n 1)
if [ -n "$earlier" ]; then
  gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$earlier" -F "body=@$body" \
    --silent
else
  gh api --method POST "$comments" -F "body=@$body" --silent
fi
