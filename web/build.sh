#!/bin/sh
# Builds the viewer into src/medsegr/serve/static where its sources are newer. Never fails a build of the rest: without
# Node.js, or where its packages cannot be fetched, it says so in one line, and the server shows what is missing.
cd "$(dirname "$0")" || exit 0
page=../src/medsegr/serve/static/index.html

skip() {
    echo "viewer: $1; 'make viewer' builds the page once that is mended"
    exit 0
}

limited() { # seconds, command: without the program timeout there is no limit
    seconds=$1
    shift
    if command -v timeout >/dev/null; then timeout "$seconds" "$@"; else "$@"; fi
}

newer() { # whether a source is newer than a file
    [ -n "$(find src index.html package.json package-lock.json vite.config.ts tsconfig.json \
        -newer "$1" -print 2>/dev/null | head -n 1)" ]
}

[ -f "$page" ] && ! newer "$page" && exit 0
command -v node >/dev/null && command -v npm >/dev/null || skip "Node.js and npm are not installed"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    skip "Node.js is $(node --version), 20.19 or newer is needed"
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    limited 300 npm ci --no-progress --loglevel=error >.npm-ci.log 2>&1 ||
        skip "its packages could not be fetched ($(tail -n 1 .npm-ci.log | cut -c 1-100))"
    touch node_modules/.package-lock.json
fi
limited 120 node_modules/.bin/vite build --logLevel error || skip "it could not be built"
echo "viewer: built"
