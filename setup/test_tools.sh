#!/bin/sh
# Make sure that what the tests hold credit-spark against is here: a browser with its driver, and a
# PostgreSQL server.
has_postgres() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}
has_browser() {
    command -v chromium >/dev/null && command -v chromedriver >/dev/null
}

missing=
has_browser || missing="chromium chromium-driver"
has_postgres || missing="$missing postgresql"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing for the tests: $missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
has_browser && has_postgres && exit 0

echo "setup: the tests need $missing, which could not be installed from here. On Debian or Ubuntu:" >&2
echo "  sudo apt-get install $missing" >&2
exit 2
