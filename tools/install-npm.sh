#!/usr/bin/env bash
# Installs what package-lock.json names, with the machine's own Node.js and npm; among it the Node.js that
# everything else runs with.
set -euo pipefail
cd "$(dirname "$0")/.."
own=node_modules/.bin
PATH="${PATH#"$PWD/$own:"}"

command -v npm >/dev/null || { echo "npm is missing: apt-get install npm" >&2; exit 1; }
echo "Installing npm packages into node_modules, once; Node.js 24 is one of them" >&2
npm ci --no-progress --loglevel=error

# npm 9 (Debian 12's) takes .bin/node away again, together with the package for the other architecture.
for node in node_modules/node-linux-*/bin/node; do
  if [ -x "$node" ] && [ ! -x $own/node ]; then ln -s "../../$node" $own/node; fi
done

# Whether a Node.js is at least of a version.
is_at_least() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number), [c, d] = process.argv[1].split(".").map(Number); process.exit(a > c || (a === c && b >= d) ? 0 : 1)' "$1"
}

if ! is_at_least 20.19; then
  echo "Note: for this machine's Node.js npm leaves out parts of knip: 'make lint' needs Node.js 20.19 or later." >&2
fi
PATH="$PWD/$own:$PATH"
if ! is_at_least 24.0; then
  echo "Berth needs Node.js 24; npm has it for Linux on x64 and arm64. Elsewhere install it, and put it in PATH." >&2
  exit 1
fi
